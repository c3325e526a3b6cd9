import { assertStringIncludes } from "@std/assert";
import {
  MAXIMUM,
  MAXIMUM_MEANING,
  requirementNames,
  REQUIREMENTS,
} from "../../src/config/requirements.ts";
import { settingNames, SETTINGS } from "../../src/config/settings.ts";

/** Rows of tables, whatever the width of their columns. */
const PAGE = Deno.readTextFileSync(new URL("../../docs/configuration.md", import.meta.url))
  .replaceAll(/ +/g, " ");

Deno.test("the page's table of settings is that of the program", () => {
  for (const name of settingNames()) {
    const { commands, fallback, meaning } = SETTINGS[name];
    const builtIn = fallback === undefined ? "" : `\`${fallback}\` `;
    assertStringIncludes(
      PAGE,
      `| \`${name}\` | ${commands.join(", ")} | ${builtIn}| ${meaning} |`,
    );
  }
});

Deno.test("the page's table of requirements is that of the program", () => {
  for (const name of requirementNames()) {
    assertStringIncludes(PAGE, `| \`${name}\` | ${REQUIREMENTS[name].meaning} |`);
  }
  assertStringIncludes(PAGE, `| \`${MAXIMUM}\` | ${MAXIMUM_MEANING} |`);
});
