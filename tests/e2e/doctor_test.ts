import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as z from "zod/mini";
import { type Ended, type LaunchOptions, remex, runToEnd } from "./support/executor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const reportSchema = z.strictObject({
  version: z.string(),
  os: z.enum(["linux", "darwin", "windows"]),
  architecture: z.enum(["x86_64", "aarch64"]),
  mechanism: z.nullable(z.enum(["bubblewrap", "landlock", "seatbelt"])),
  reason: z.string().check(z.minLength(1)),
  checks: z.array(z.discriminatedUnion("status", [
    z.strictObject({ name: z.string(), status: z.literal("ok"), detail: z.string() }),
    z.strictObject({
      name: z.string(),
      status: z.enum(["warning", "failed"]),
      detail: z.string().check(z.minLength(1)),
      fix: z.string().check(z.minLength(1)),
    }),
  ])),
});

const isLinux = Deno.build.os === "linux";
const isRoot = isLinux && Deno.uid() === 0;

/** Becomes a user without privileges. */
const AS_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/** A machine on which nobody can make user namespaces. */
const WITHOUT_NAMESPACES = [
  ...["bwrap", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"],
  ...["--dev-bind", "/", "/", "--"],
];

async function run(args: readonly string[], options: LaunchOptions): Promise<Ended> {
  using directory = new TemporaryDirectory();
  await Deno.chmod(directory.path, 0o777);
  const env = { PATH: "/usr/bin:/bin", TMPDIR: directory.path, ...options.env };
  const child = remex(args, { ...options, env, stderr: "piped" });
  await child.stdin.close();
  const [stdout, stderr, { code }] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  // What was tried has left nothing.
  assertEquals(Array.from(Deno.readDirSync(directory.path), ({ name }) => name), []);
  return { code, stdout, stderr };
}

async function examine(options: LaunchOptions = {}) {
  const { code, stdout, stderr } = await run(["doctor", "--json"], options);
  assertEquals(stderr, "");
  const report = reportSchema.parse(JSON.parse(stdout));
  assertEquals(code, report.mechanism === null ? 1 : 0);
  const check = (name: string) => report.checks.find((check) => check.name === name);
  return { ...report, check };
}

async function canRun(launcher: readonly string[]): Promise<boolean> {
  const [program = "", ...args] = [...launcher, "true"];
  try {
    const { success } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
}

const canBecomeNobody = isRoot && await canRun(AS_NOBODY);
const canTakeNamespaces = isLinux && await canRun(WITHOUT_NAMESPACES);

Deno.test({
  name: "doctor: a command was run in every profile, on a terminal, and watched over",
  ignore: !canTakeNamespaces,
  fn: async () => {
    const { mechanism, check } = await examine();
    assertEquals(mechanism, "bubblewrap");
    for (
      const name of [
        "sandbox read-only",
        "sandbox workspace-write",
        "terminals",
        "watchdog",
        "descendants",
      ]
    ) {
      assertEquals([name, check(name)?.status], [name, "ok"]);
    }
  },
});

Deno.test({
  name: "doctor: a null device that commands cannot use fails every trial by its name",
  ignore: !isRoot || !canTakeNamespaces,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const device = `${directory.path}/null`;
    const args = ["-m", "000", device, "c", "1", "3"];
    assertEquals((await new Deno.Command("mknod", { args }).output()).success, true);
    const launcher = ["bwrap", "--dev-bind", "/", "/", "--dev-bind", device, "/dev/null", "--"];
    const { check } = await examine({ launcher });
    for (const name of ["sandbox read-only", "sandbox workspace-write"]) {
      const found = check(name);
      assertEquals(found?.status, "failed");
      assertStringIncludes(found?.detail ?? "", "/dev/null");
    }
  },
});

Deno.test({
  name: "doctor: an ordinary user",
  ignore: !canBecomeNobody || !canTakeNamespaces,
  fn: async () => assertEquals((await examine({ launcher: AS_NOBODY })).mechanism, "bubblewrap"),
});

Deno.test({
  name: "doctor: without user namespaces Landlock stands in, and bubblewrap's fix is told",
  ignore: !canTakeNamespaces,
  fn: async () => {
    const { mechanism, reason, check } = await examine({ launcher: WITHOUT_NAMESPACES });
    if (check("landlock")?.status !== "ok") {
      assertEquals(mechanism, null);
      return;
    }
    assertEquals(mechanism, "landlock");
    assertEquals(check("sandbox read-only")?.status, "ok");
    const bubblewrap = check("bubblewrap");
    assertEquals(bubblewrap?.status, "warning");
    assertMatch(bubblewrap && "fix" in bubblewrap ? bubblewrap.fix : "", /seccomp=unconfined/);
    assertEquals(check("sandbox workspace-write")?.status, "ok");
    assertStringIncludes(reason, "Landlock and seccomp, as bubblewrap does not work here");
  },
});

Deno.test({
  name: "doctor: without bubblewrap on PATH it is to be installed",
  ignore: !isLinux,
  fn: async () => {
    const { mechanism, check } = await examine({ env: { PATH: "/nowhere" } });
    assert(mechanism !== "bubblewrap");
    const bubblewrap = check("bubblewrap");
    assertMatch(bubblewrap && "fix" in bubblewrap ? bubblewrap.fix : "", /apt install bubblewrap/);
  },
});

/** A machine that lacks what the options of bubblewrap hide. */
function lacking(...options: string[]): string[] {
  return ["bwrap", "--unshare-user", "--dev-bind", "/", "/", ...options, "--"];
}

Deno.test({
  name: "doctor: where system calls cannot be filtered nothing encloses, and the exit code tells",
  ignore: !canTakeNamespaces,
  fn: async () => {
    const launcher = lacking("--tmpfs", "/proc/sys/kernel/seccomp");
    const { mechanism, reason, check } = await examine({ launcher });
    assertEquals(mechanism, null);
    assertStringIncludes(reason, "cannot be sandboxed");
    assertEquals(check("seccomp")?.status, "failed");
    assertEquals(check("sandbox read-only"), undefined);
    assertEquals((await run(["doctor"], { launcher })).code, 1);
  },
});

Deno.test({
  name: "doctor: no pseudo-terminals, no shell, few descriptors",
  ignore: !canTakeNamespaces || !await canRun(["prlimit", "--nofile=256:256"]),
  fn: async () => {
    const hidden = lacking("--tmpfs", "/dev/pts", "--ro-bind", "/dev/null", "/bin/sh");
    const launcher = ["prlimit", "--nofile=256:256", ...hidden];
    const { mechanism, check } = await examine({ launcher });
    assertEquals(
      ["sandbox read-only", "terminals", "watchdog", "open files"]
        .map((name) => check(name)?.status),
      ["warning", "failed", "failed", "warning"],
    );
    // That nothing could be tried does not mean that nothing would be enforced.
    assertEquals(mechanism, "bubblewrap");
  },
});

Deno.test("doctor: the text says the same as the JSON", async () => {
  const { reason, checks } = await examine();
  const { stdout } = await run(["doctor"], {});
  const [first = ""] = stdout.split("\n");
  assertStringIncludes(first, reason);
  for (const { name, detail } of checks) {
    assertStringIncludes(stdout, name);
    assertStringIncludes(stdout, detail);
  }
});

Deno.test("doctor: an unknown option is refused, --help tells the options", async () => {
  assertEquals((await runToEnd(["doctor", "--jsno"])).code, 2);
  const { code, stdout } = await runToEnd(["doctor", "--help"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "--json");
});
