import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/cli/commands.ts";
import { requirementNames } from "../../src/config/requirements.ts";
import { optionOf, settingNames } from "../../src/config/settings.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { runToEnd } from "./support/executor.ts";

function groff(args: string[]): Deno.CommandOutput | undefined {
  try {
    return new Deno.Command("groff", { args, stdin: "null" }).outputSync();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test({
  name: "the manual page tells of every command, setting and requirement, and groff finds no fault",
  ignore: groff(["--version"]) === undefined,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const { code, stdout } = await runToEnd(["man"]);
    assertEquals(code, 0);
    const page = directory.write("remex.1", stdout);
    const formatted = groff(["-man", "-ww", "-Tascii", "-P-cbou", "-rLL=200n", page]);
    const [text, faults] = [formatted?.stdout, formatted?.stderr]
      .map((bytes) => new TextDecoder().decode(bytes));
    assertEquals(faults, "");
    const names = [
      ...Object.keys(COMMANDS),
      ...settingNames().map((name) => `--${optionOf(name)}`),
      ...requirementNames(),
    ];
    const missing = names.filter((name) => !new RegExp(`^ +${name}\\b`, "m").test(text ?? ""));
    assertEquals(missing, []);
    assert(!/\\[a-z(]/.test(text ?? ""), "an escape of roff is left");
  },
});
