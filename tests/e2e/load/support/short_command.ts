import { assertEquals } from "@std/assert";
import { pick, type Random } from "../../../support/seeded_random.ts";
import { command, shell } from "../../support/commands.ts";
import type { Message } from "../../support/inbox.ts";

/** A command of known outcome, and what a client has to do for it to end. */
export interface ShortCommand {
  readonly params: Message;
  /** Requests to be sent once it runs, in this order. */
  readonly requests: readonly { readonly method: string; readonly params: Message }[];
  readonly output: string;
  readonly exitCode: number;
}

/** Makes one of several kinds. */
export function shortCommand(random: Random, processId: string): ShortCommand {
  const exitCode = random(100);
  return pick(random, [talking, onTerminal, echoing, terminated, leaving])(processId, exitCode);
}

/** Checks what became of it. */
export function assertOutcome(
  wanted: ShortCommand,
  { output, exitCode }: { readonly output: string; readonly exitCode: unknown },
): void {
  const { processId } = wanted.params;
  assertEquals([processId, output, exitCode], [processId, wanted.output, wanted.exitCode]);
}

function talking(processId: string, exitCode: number): ShortCommand {
  const script = `echo ${processId}; exit ${exitCode}`;
  return { params: shell(processId, script), requests: [], output: `${processId}\n`, exitCode };
}

function onTerminal(processId: string, exitCode: number): ShortCommand {
  const params = shell(processId, `echo ${processId}; exit ${exitCode}`, { tty: true });
  return { params, requests: [], output: `${processId}\r\n`, exitCode };
}

function echoing(processId: string): ShortCommand {
  return {
    params: command(processId, ["cat"], { pipeStdin: true }),
    requests: [
      {
        method: "process/write",
        params: { processId, chunk: btoa(processId), writeId: "1" },
      },
      { method: "process/closeStdin", params: { processId } },
    ],
    output: processId,
    exitCode: 0,
  };
}

function terminated(processId: string): ShortCommand {
  return {
    params: command(processId, ["sleep", "1000"]),
    requests: [{ method: "process/terminate", params: { processId } }],
    output: "",
    exitCode: 137,
  };
}

/** Leaves a daemon behind, which ends a moment later. */
function leaving(processId: string, exitCode: number): ShortCommand {
  const script = `setsid sleep 0.1 > /dev/null 2>&1 & exit ${exitCode}`;
  return { params: shell(processId, script), requests: [], output: "", exitCode };
}
