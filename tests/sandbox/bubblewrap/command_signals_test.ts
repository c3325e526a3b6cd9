import { assertEquals } from "@std/assert";
import { startLinuxChild } from "../../../src/process/linux/start.ts";
import { commandSignals } from "../../../src/sandbox/bubblewrap/start.ts";
import { RecordedChild, runToEnd, type StartChild } from "../../support/recorded_child.ts";

const start: StartChild = (command, observer) =>
  Promise.resolve(startLinuxChild(command, observer));

/** Stands for a sandbox's first process: says its number, and then how its child ended. */
const FIRST = "echo $$; wait $!; echo ended $?";

/** Asks a command to end, whose first process says its number, and waits until all have. */
async function requestEnd(script: string, takesTerminal: boolean): Promise<string> {
  const run = await RecordedChild.start(start, { argv: ["sh", "-c", script] });
  const firstProcess = Number(await run.says(/^\d+(?=\n)/));
  commandSignals(firstProcess, takesTerminal).requestEnd();
  await run.end();
  return run.text().slice(`${firstProcess}\n`.length);
}

Deno.test("the command's own session gets the signal", async () => {
  const command =
    "setsid sh -c 'echo ready; exec sleep 100' > ready & until test -s ready; do :; done";
  const directory = await Deno.makeTempDir();
  try {
    const script = `cd ${directory}; trap 'echo first' TERM; ${command}; ${FIRST}`;
    assertEquals(await requestEnd(script, true), "ended 143\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("without one, the first process's session does", async () => {
  assertEquals(await requestEnd(`trap : TERM; sleep 100 & ${FIRST}; wait`, true), "ended 143\n");
});

Deno.test("in a wrapper's group only the command gets it", async () => {
  const wrapped = `sh -c 'sleep 100 & ${FIRST}'; echo wrapper ${"$?"}`;
  assertEquals(await requestEnd(wrapped, false), "ended 143\nwrapper 0\n");
});

Deno.test("a signal to what is gone does nothing", async () => {
  const run = await runToEnd(start, { argv: ["sh", "-c", "echo $$"] });
  commandSignals(Number(run.text()), true).interrupt();
});
