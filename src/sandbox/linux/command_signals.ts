import type { Child } from "../../process/child.ts";
import { childrenOf } from "../../process/linux/procfs.ts";
import { Signal, signalGroup, signalProcess } from "../../process/linux/signals.ts";

/**
 * Sends signals to a command past its wrapper, which would end by them, and the command with it.
 *
 * @param firstProcess the leader of the sandbox's session: the command, or its parent
 * @param takesTerminal whether the command, a child of that process, opens a session of its own
 */
export function commandSignals(
  firstProcess: number,
  takesTerminal: boolean,
): Pick<Child, "interrupt" | "requestEnd" | "hangUp"> {
  const send = (signal: number) => {
    const [command] = takesTerminal ? childrenOf(firstProcess) : [];
    // One that is still about to open its session is in the first process's group.
    if (command !== undefined && signalGroup(command, signal)) return;
    // The first of a PID namespace takes no notice itself (pid_namespaces(7)).
    if (signalGroup(firstProcess, signal)) return;
    // Without a session of its own it is in its wrapper's group, which is not to be signalled.
    for (const pid of childrenOf(firstProcess)) signalProcess(pid, signal);
  };
  return {
    interrupt: () => send(Signal.Interrupt),
    requestEnd: () => send(Signal.Terminate),
    hangUp: () => send(Signal.HangUp),
  };
}
