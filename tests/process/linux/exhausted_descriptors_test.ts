import { assert, assertEquals, assertMatch } from "@std/assert";

Deno.test("linux: without descriptors to spare a start is refused and leaves nothing", async () => {
  const program = new URL("exhausted_descriptors.ts", import.meta.url).href;
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", 'ulimit -n 128; exec "$0" run -A --no-check "$1"', Deno.execPath(), program],
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assert(lines.length > 2, new TextDecoder().decode(stderr));
  assertEquals(lines.filter((line) => line === "leak"), []);
  for (const kind of ["pipes", "pty"]) {
    const outcomes = lines.filter((line) => line.startsWith(kind));
    assertMatch(outcomes[0] ?? "", /Too many open files/);
    assertEquals(outcomes.at(-1), `${kind} started`);
    assert(
      outcomes.every((line) => /started|Too many open files|\/dev\/pts/.test(line)),
      outcomes.join("\n"),
    );
  }
});
