import { assert, assertEquals } from "@std/assert";
import { runToEnd } from "./support/executor.ts";

/** A screen that is wide enough for two windows side by side, in characters. */
const SCREEN = { columns: 100, lines: 50 };

const COMMANDS = [
  "serve",
  "exec",
  "jobs",
  "attach",
  "logs",
  "kill",
  "rm",
  "config",
  "doctor",
  "token",
];

for (const command of COMMANDS) {
  Deno.test(`help: that of ${command} fits on one screen`, async () => {
    const { code, stdout } = await runToEnd([command, "--help"]);
    assertEquals(code, 0);
    const lines = stdout.trimEnd().split("\n");
    assert(lines.length <= SCREEN.lines, `${lines.length} lines`);
    assertEquals(lines.filter((line) => line.length > SCREEN.columns), []);
  });
}
