import { COMMANDS } from "../../src/cli/commands.ts";
import { settingNames } from "../../src/config/settings.ts";
import { optionHelp } from "../../src/cli/command_manual.ts";
import { runToEnd } from "./support/executor.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

/** A screen that is wide enough for two windows side by side, in characters. */
const SCREEN = { columns: 100, lines: 50 };

for (const command of Object.keys(COMMANDS)) {
  Deno.test(`help: that of ${command} fits on one screen`, async () => {
    const { code, stdout } = await runToEnd([command, "--help"]);
    assertEquals(code, 0);
    const lines = stdout.trimEnd().split("\n");
    assert(lines.length <= SCREEN.lines, `${lines.length} lines`);
    assertEquals(lines.filter((line) => line.length > SCREEN.columns), []);
  });
}

Deno.test("help: --help-all has every setting, --help all but the rare ones and says where they are", async () => {
  for (const command of ["serve", "exec", "cp", "forward"] as const) {
    const { stdout: all } = await runToEnd([command, "--help-all"]);
    const { stdout: common } = await runToEnd([command, "--help"]);
    assertStringIncludes(common, "--help-all");
    for (const { label, rare } of settingNames(command).map(optionHelp)) {
      assertStringIncludes(all, `  ${label}`);
      assertEquals(common.includes(`  ${label}`), !rare, label);
    }
    assertEquals(all.split("\n").filter((line) => line.length > SCREEN.columns), []);
  }
});
