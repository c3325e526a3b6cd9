import { assertEquals, assertMatch } from "@std/assert";
import type { ChildCommand, ChildObserver } from "../../../src/process/child.ts";
import { PortableChild } from "../../../src/process/portable/child.ts";
import { startOnConsole } from "../../../src/process/portable/windows_console.ts";
import { bash, PLAIN_ENV, RecordedChild, TERMINAL } from "../../support/recorded_child.ts";

// The package offers the same on Unix; so what does not depend on Windows can be tried there.
const start = async (command: ChildCommand, observer: ChildObserver) =>
  new PortableChild(await startOnConsole(command, { rows: 24, cols: 80 }), observer);

const run = (script: string) =>
  RecordedChild.start(start, { argv: bash(script), env: PLAIN_ENV, stdio: TERMINAL });

// The native library, loaded by the first test, stays.
const options = { sanitizeResources: false, sanitizeOps: false };

Deno.test("console: output, exit, end", options, async () => {
  const ü = await run("stty size; echo ü; exit 3");
  await ü.end();
  assertEquals([ü.text("pty"), ü.exitCode], ["24 80\r\nü\r\n", 3]);
  assertEquals(ü.told, ["pty", "exited", "ended"]);
});

Deno.test(
  "console: input in pieces of characters, Ctrl-C as interrupt, a new size",
  options,
  async () => {
    const child = await run(`trap 'stty size; exit 4' INT; read line; echo "<$line>"; sleep 60`);
    const typed = new TextEncoder().encode("ü\n");
    assertEquals(await child.child.write(typed.slice(0, 1)), "written");
    await child.child.write(typed.slice(1));
    await child.says(/<ü>/, "pty");
    child.child.resize({ rows: 5, cols: 6 });
    child.child.interrupt();
    await child.end();
    assertMatch(child.text("pty"), /5 6\r\n$/);
    assertEquals(child.exitCode, 4);
    assertEquals(await child.write("x"), "closed");
  },
);
