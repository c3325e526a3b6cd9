import { assert, assertEquals, assertMatch } from "@std/assert";
import { isLogLevel, LOG_LEVELS } from "../../src/telemetry/log.ts";

/** What a program of its own says, as the environment is looked at once. */
async function logged(level: string | undefined, messages: readonly string[]): Promise<string[]> {
  const module = new URL("../../src/telemetry/log.ts", import.meta.url);
  const script = `import { log, LOG_LEVELS } from "${module}";
    for (const message of ${JSON.stringify(messages)}) {
      for (const level of LOG_LEVELS) log(level, message);
    }`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--allow-env=REMEX_LOG",
      "data:text/typescript," + encodeURIComponent(script),
    ],
    env: level === undefined ? {} : { REMEX_LOG: level },
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "");
  return new TextDecoder().decode(stderr).split("\n").slice(0, -1);
}

Deno.test("only what matters enough is logged", async () => {
  const cases: [level: string | undefined, levels: string[]][] = [
    [undefined, ["error", "warn"]],
    ["error", ["error"]],
    ["INFO", ["error", "warn", "info"]],
    ["debug", [...LOG_LEVELS]],
    ["nonsense", ["error", "warn"]],
  ];
  for (const [level, levels] of cases) {
    const lines = await logged(level, ["text"]);
    assertEquals(lines.map((line) => line.split(" ")[1]), levels, level);
  }
});

Deno.test("a message is one line with its time, and cannot pass for more", async () => {
  const lines = await logged("error", ["a\n2026 error b\r\n\x1b[2Jc\x9d", "ä %s %d"]);
  assertEquals(lines.map((line) => line.replace(/^\S+Z /, "")), [
    "error a 2026 error b   [2Jc ",
    "error ä %s %d",
  ]);
  for (const line of lines) assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z error /);
});

Deno.test("levels are told by their names", () => {
  assert(LOG_LEVELS.every(isLogLevel));
  assertEquals(["", "Error", "all", "toString"].filter(isLogLevel), []);
});
