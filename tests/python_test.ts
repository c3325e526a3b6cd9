import { assert, assertEquals } from "@std/assert";
import { REMEX_BIN } from "./e2e/support/executor.ts";
import { settled } from "./support/patience.ts";
import { TemporaryDirectory } from "./support/temporary_directory.ts";

const PAGE = new URL("../docs/python.md", import.meta.url);

/** How long a client may be that a page shows, in lines. */
const MAX_LINES = 60;

function isInstalled(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" })
    .outputSync().success;
}

Deno.test({
  name: "the client in Python does what its page says",
  ignore: !isInstalled("python3"),
  fn: async () => {
    const page = Deno.readTextFileSync(PAGE);
    const blocks = (language: string) =>
      Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, "gm")))
        .map(([_, block = ""]) => block);
    const code = blocks("python");
    assert((code[0]?.trimEnd().split("\n").length ?? 0) <= MAX_LINES, "the client has grown");
    using directory = new TemporaryDirectory();
    const program = directory.write("client.py", code.join("\n"));
    Deno.mkdirSync(`${directory.path}/bin`);
    Deno.symlinkSync(REMEX_BIN, `${directory.path}/bin/remex`);
    const client = new Deno.Command("python3", {
      args: [program],
      env: { PATH: `${directory.path}/bin:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}` },
    });
    const { code: exitCode, stdout, stderr } = await settled(client.output(), "the client's end");
    const text = new TextDecoder();
    assertEquals(text.decode(stderr), "");
    assertEquals({ exitCode, stdout: text.decode(stdout) }, {
      exitCode: 0,
      stdout: blocks("text").join(""),
    });
  },
});
