import { assertEquals, assertMatch } from "@std/assert";
import { ListeningExecutor } from "./e2e/support/executor.ts";

const root = new URL("../", import.meta.url).pathname;

/** Runs an example with the network as its only permission: the library needs no other. */
async function example(
  name: string,
  ...args: string[]
): Promise<{ code: number; lines: string[] }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-net", `${root}examples/${name}.ts`, ...args],
    cwd: root,
  }).output();
  const text = new TextDecoder();
  assertEquals(text.decode(stderr), "", "an example says nothing on standard error");
  return { code, lines: text.decode(stdout).trimEnd().split("\n") };
}

Deno.test("the example that runs a command ends as the command does", async () => {
  await using executor = await ListeningExecutor.start();
  const { code, lines } = await example(
    "run_command",
    executor.url,
    "sh",
    "-c",
    "echo from afar; exit 7",
  );
  assertEquals(code, 7);
  assertEquals(lines, ["from afar"]);
});

Deno.test("the example with a terminal sets its size and types into it", async () => {
  await using executor = await ListeningExecutor.start();
  const { code, lines } = await example("terminal", executor.url);
  assertEquals(code, 0);
  assertMatch(lines.join("\n"), /^40 120\r?$/m);
  assertEquals(lines.at(-1), "the shell ended with 3");
});

Deno.test("the example with files reads what it wrote", async () => {
  await using executor = await ListeningExecutor.start();
  const { code, lines } = await example("files", executor.url);
  assertEquals(code, 0);
  assertEquals(lines, ["greeting.txt", "hello from afar"]);
});

Deno.test("the example that cuts the connection loses nothing", async () => {
  await using executor = await ListeningExecutor.start();
  const { code, lines } = await example("survive_a_cut_connection", executor.url);
  assertEquals(code, 0);
  assertEquals(lines, ["2 cuts, every line came once"]);
});
