import { assert, assertEquals } from "@std/assert";
import { environmentInfo } from "../../src/protocol/lifecycle.ts";
import { describeEnvironment } from "../../src/server/environment_info.ts";
import { inDirectory } from "../support/recorded_child.ts";

/** What an executor with these variables would tell. */
function described(variables: Readonly<Record<string, string | undefined>>) {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const [name, value] of Object.entries(variables)) setVariable(name, value);
    return describeEnvironment(1024, Deno.env.toObject());
  } finally {
    for (const [name, value] of before) setVariable(name, value);
  }
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) Deno.env.delete(name);
  else Deno.env.set(name, value);
}

Deno.test("what is told of the machine is what the protocol says", () => {
  const info = describeEnvironment(1024, Deno.env.toObject());
  assert(environmentInfo.safeParse(JSON.parse(JSON.stringify(info))).success);
  assertEquals([info.temporaryDirectories, info.prependPathDirs], [[], []]);
  assertEquals(info.platformOs, { darwin: "macos" }[String(Deno.build.os)] ?? Deno.build.os);
});

Deno.test("home and temporary directory come from the environment", () => {
  const { userHomeDir, tempDir } = described({ HOME: "/home/a b", TMPDIR: "/var/tmp/" });
  assertEquals([userHomeDir, tempDir], ["file:///home/a%20b", "file:///var/tmp"]);
  assertEquals(described({ TMPDIR: undefined }).tempDir, "file:///tmp");
});

Deno.test("variables that hold no absolute path keep nothing from starting", () => {
  for (const value of ["", "relative", "./x", "~"]) {
    const { userHomeDir, tempDir } = described({ HOME: value, TMPDIR: value });
    assertEquals([userHomeDir, tempDir], [undefined, undefined], value);
  }
});

const UNKNOWN_USER = ["--user", "--map-user=54321"];

Deno.test({
  name: "a user that no database knows has a shell all the same",
  ignore: Deno.build.os !== "linux" || !succeeds("unshare", [...UNKNOWN_USER, "true"]),
  fn: () =>
    inDirectory(async (directory) => {
      const module = new URL("../../src/server/environment_info.ts", import.meta.url);
      const script = `import { describeEnvironment } from "${module}";
      const { shell, userHomeDir } = describeEnvironment(1024, Deno.env.toObject());
      console.log(JSON.stringify([Deno.uid(), shell, userHomeDir]));`;
      const run = [
        "run",
        "--no-check",
        "--allow-all",
        `data:text/typescript,${encodeURIComponent(script)}`,
      ];
      const { stdout, stderr } = await new Deno.Command("unshare", {
        args: [...UNKNOWN_USER, Deno.execPath(), ...run],
        env: { HOME: directory, DENO_DIR: directory },
      }).output();
      assertEquals(
        [new TextDecoder().decode(stdout).trim(), new TextDecoder().decode(stderr)],
        [`[54321,{"name":"sh","path":"/bin/sh"},"file://${directory}"]`, ""],
      );
    }),
});

function succeeds(program: string, args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
