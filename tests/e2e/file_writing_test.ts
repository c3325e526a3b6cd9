import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { command, stdoutOf } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { eventually } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { openWebSocket } from "./support/websocket_client.ts";

const ignore = Deno.build.os !== "linux";
const MIB = 1024 * 1024;

function namesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
}

Deno.test({
  name: "a file past the limit of a file's size is an error, leaves nothing and ends nothing",
  ignore,
  fn: async () => {
    using directory = new TemporaryDirectory();
    directory.write("old", "old content", 0o644);
    const launcher = ["/bin/bash", "-c", 'ulimit -f 2000; exec "$@"', "bash"];
    await using executor = await ListeningExecutor.start({ launcher });
    await using client = await openWebSocket(executor.url);
    const dataBase64 = new Uint8Array(5 * MIB).toBase64();
    for (const name of ["new", "old"]) {
      const path = `file://${directory.path}/${name}`;
      assertObjectMatch(await client.request("fs/writeFile", { path, dataBase64 }), {
        error: { code: -32603, message: "File too large (os error 27)" },
      });
    }
    assertEquals(namesIn(directory.path), ["old"]);
    assertEquals(Deno.readTextFileSync(`${directory.path}/old`), "old content");
    // A command has the signal as it should be.
    const write = ["/bin/sh", "-c", 'dd if=/dev/zero of="$1" bs=1M count=5 2>/dev/null; echo $?'];
    const argv = [...write, "sh", `${directory.path}/by-command`];
    assertEquals(await stdoutOf(client, command("dd", argv)), "153\n");
  },
});

Deno.test({
  name: "an executor that is killed while it writes leaves no part of the file",
  ignore,
  fn: async () => {
    using directory = new TemporaryDirectory();
    directory.write("old", "old content", 0o644);
    await using executor = await ListeningExecutor.start();
    await using client = await openWebSocket(executor.url);
    const dataBase64 = new Uint8Array(40 * MIB).toBase64();
    const ask = (name: string) =>
      client.request("fs/writeFile", { path: `file://${directory.path}/${name}`, dataBase64 })
        .catch(() => "cut off");
    const answers = [ask("new"), ask("old"), ask("new too")];
    // It has begun when a file of its own shows, with a name or without.
    const files = `/proc/${executor.pid}/fd`;
    await eventually(
      () =>
        Array.from(Deno.readDirSync(files)).some(({ name }) => {
          try {
            return Deno.readLinkSync(`${files}/${name}`).startsWith(`${directory.path}/`);
          } catch {
            return false;
          }
        }),
      "a file that is written",
      { pollMs: 1 },
    );
    await executor.endBy("SIGKILL");
    await Promise.all(answers);
    const left = namesIn(directory.path);
    assertEquals(left.filter((name) => !["new", "new too", "old"].includes(name)), []);
    for (const name of left) {
      const { size } = Deno.statSync(`${directory.path}/${name}`);
      assert(size === 40 * MIB || (name === "old" && size === 11), `${name}: ${size}`);
    }
  },
});

Deno.test({
  name: "a file that is replaced keeps what chattr has set",
  ignore: ignore || !canSetFlags(),
  fn: async () => {
    using directory = new TemporaryDirectory();
    const file = directory.write("file", "old", 0o640);
    new Deno.Command("chattr", { args: ["+Ad", file] }).outputSync();
    const before = flagsOf(file);
    await using executor = await ListeningExecutor.start();
    await using client = await openWebSocket(executor.url);
    const request = { path: `file://${file}`, dataBase64: "bmV3" };
    assertObjectMatch(await client.request("fs/writeFile", request), { result: {} });
    assertEquals(Deno.readTextFileSync(file), "new");
    assertEquals(flagsOf(file), before);
  },
});

function flagsOf(file: string): string {
  const { stdout } = new Deno.Command("lsattr", { args: [file] }).outputSync();
  return new TextDecoder().decode(stdout).split(" ")[0] ?? "";
}

function canSetFlags(): boolean {
  using directory = new TemporaryDirectory();
  const file = directory.write("file", "", 0o644);
  try {
    return new Deno.Command("chattr", { args: ["+Ad", file], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
