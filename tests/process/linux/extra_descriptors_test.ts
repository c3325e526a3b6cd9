import { assertEquals } from "@std/assert";
import { closeDescriptor } from "../../../src/os/descriptor.ts";
import type { ChildCommand } from "../../../src/process/child.ts";
import { openMemoryFile } from "../../../src/os/pipes.ts";
import { startLinuxChild } from "../../../src/process/linux/start.ts";
import { bash, runToEnd, type StartChild } from "../../support/recorded_child.ts";

/** Starts every command with something more than its recipe says. */
function startWith(more: Partial<ChildCommand>): StartChild {
  return (command, observer) => Promise.resolve(startLinuxChild({ ...command, ...more }, observer));
}

Deno.test("linux: a command gets more descriptors than the standard ones", async () => {
  const large = new TextEncoder().encode("x".repeat(1_000_000));
  const sources = [openMemoryFile(large), openMemoryFile(new Uint8Array([65]))];
  try {
    const descriptors = sources.map((source, index) => ({ number: 3 + index, source }));
    const argv = bash("wc -c <&3; cat <&4");
    const run = await runToEnd(startWith({ descriptors }), { argv });
    assertEquals(run.text("stdout"), "1000000\nA");
  } finally {
    sources.forEach(closeDescriptor);
  }
});

Deno.test("linux: descriptors may change places", async () => {
  const sources = [openMemoryFile(new Uint8Array([65])), openMemoryFile(new Uint8Array([66]))];
  const [first = -1, second = -1] = sources;
  try {
    const descriptors = [{ number: second, source: first }, { number: first, source: second }];
    const argv = bash(`cat <&${first}; cat <&${second}`);
    assertEquals((await runToEnd(startWith({ descriptors }), { argv })).text("stdout"), "BA");
  } finally {
    sources.forEach(closeDescriptor);
  }
});

Deno.test("linux: a terminal can be left for a descendant to take", async () => {
  const argv = ["cat", "/proc/self/stat"];
  for (const controlling of [false, true]) {
    const stdio = { kind: "pty", size: { rows: 24, cols: 80 }, controlling } as const;
    const fields = (await runToEnd(startWith({ stdio }), { argv })).text("pty").split(" ");
    // tty_nr of proc_pid_stat(5)
    assertEquals(fields[6] !== "0", controlling);
  }
});
