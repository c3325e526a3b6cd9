import { assertEquals, assertMatch } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { command, outputOf, run, start } from "../support/commands.ts";
import { testSandboxed } from "./support/sandboxed.ts";

const ODD = "é\u{1f600} a\tb\n'\"$(x)`\\";

testSandboxed("arguments, name and environment arrive byte for byte", async ({ run }) => {
  const env = { PATH: "/usr/bin:/bin", "A B": ODD, EMPTY: "", PWD: "/elsewhere", "\u00e9": "1" };
  const files = ["/proc/self/cmdline", "/proc/self/environ"];
  for (const arg0 of [null, ODD]) {
    const { stdout, stderr } = await run(["cat", ...files], { env, arg0 });
    assertEquals(stderr, "");
    const [name, first, second, ...variables] = stdout.split("\0").slice(0, -1);
    assertEquals([name, first, second], [arg0 ?? "cat", ...files]);
    const expected = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    assertEquals(variables.sort(), expected.sort());
  }
});

testSandboxed("an environment of many variables arrives", async ({ run }) => {
  const many = Array.from({ length: 2000 }, (_, index) => [`VARIABLE_${index}`, "v".repeat(100)]);
  const { stdout } = await run(["/usr/bin/env"], { env: Object.fromEntries(many) });
  assertEquals(stdout.split("\n").filter((line) => line.startsWith("VARIABLE_")).length, 2000);
});

testSandboxed("a shell has the environment that it has without a sandbox", async (scene) => {
  const link = `${scene.workspace}/link`;
  Deno.symlinkSync(scene.workspace, link);
  const cwd = `file://${link}`;
  const told = [{}, { PWD: link }, { PWD: scene.workspace }, { PWD: "/elsewhere" }, {
    OLDPWD: "/",
  }];
  for (const [index, variables] of told.entries()) {
    for (const shell of ["/bin/sh", "bash"]) {
      const argv = [shell, "-c", "exec /usr/bin/env"];
      const more = { cwd, env: { PATH: "/usr/bin:/bin", ...variables } };
      const inside = await scene.run(argv, more);
      const outside = await run(scene.client, command(`${shell} ${index}`, argv, more));
      assertEquals(inside.stdout.split("\n").sort(), outside.stdout.split("\n").sort());
    }
  }
});

testSandboxed("exit codes and deaths by signals arrive", async ({ script }) => {
  for (const [end, code] of [["exit 0", 0], ["exit 213", 213], ["kill -TERM $$", 143]] as const) {
    assertEquals((await script(end)).exitCode, code, end);
  }
  assertEquals((await script("kill -KILL $$")).exitCode, 137);
});

testSandboxed("input goes through a pipe and has an end", async ({ client, enclosed }) => {
  await start(client, command("p", ["/bin/cat"], { ...enclosed, pipeStdin: true }));
  const text = "x".repeat(300_000);
  for (const [index, part] of ["a\n", text, "\nb"].entries()) {
    const chunk = base64(part);
    await client.request("process/write", { processId: "p", chunk, writeId: String(index) });
  }
  await client.request("process/closeStdin", { processId: "p" });
  assertEquals(outputOf(await client.events("p"), "stdout"), `a\n${text}\nb`);
});

testSandboxed("input that is not asked for is empty", async ({ run }) => {
  assertEquals((await run(["/bin/cat"])).exitCode, 0);
});

testSandboxed("all output arrives, before the exit", async ({ script }) => {
  const { stdout, stderr, events } = await script(
    "head -c 5000000 /dev/zero; echo over >&2; exit 3",
  );
  assertEquals([stdout.length, stderr], [5_000_000, "over\n"]);
  assertEquals(events.slice(-2).map(({ method }) => method), ["process/exited", "process/closed"]);
});

testSandboxed("what descendants wrote arrives, and they end with the command", async (scene) => {
  const { stdout, exitCode } = await scene.script("(echo early; sleep 100) & sleep 0.1; exit 3");
  assertEquals([stdout, exitCode], ["early\n", 3]);
});

testSandboxed("a terminal is a terminal", async ({ script }) => {
  const more = { tty: true, terminalSize: { rows: 30, cols: 99 } };
  const { pty, exitCode } = await script(
    "test -t 0 && stty size; echo to > /dev/tty; exit 5",
    more,
  );
  assertEquals([pty.replaceAll("\r", ""), exitCode], ["30 99\nto\n", 5]);
});

testSandboxed("a command that cannot be started is refused", async ({ client, enclosed }) => {
  for (const [argv, words] of [[["/no/such"], /No such file/], [["/etc"], /./]] as const) {
    const { error } = await client.request("process/start", command("p", argv, enclosed));
    assertMatch(JSON.stringify(error), /-32603/);
    assertMatch(JSON.stringify(error), words);
  }
});
