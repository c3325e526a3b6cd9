import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { openProcessDescriptor, signalHeldProcess, signalThread } from "../../os/pidfd.ts";
import { descendantsOf, type ProcessStatus, processStatus } from "../../os/procfs.ts";
import { CallError, Errno } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import type { Answer } from "./answer.ts";

const GO_ON: Answer = { kind: "goOn" };
/** kill(2): all that the caller may signal. */
const EVERYBODY = -1;

/** What kill(2) and its variants send; `siginfo_t` or null. */
interface SignalToSend {
  readonly signal: number;
  readonly info: Uint8Array<ArrayBuffer> | null;
}

/**
 * Sends signals on behalf of commands to processes of their own sandbox, where the kernel's Landlock
 * does not keep them in (before Linux 6.12). All throw `CallError`.
 *
 * A sandbox is inherited. So a process is in the caller's if it is of the caller's session (setsid(2)),
 * which the caller's ancestors or the caller opened, or if both descend from the same child of this
 * program. Others are not told apart, and refused.
 */
export class Signals {
  readonly #ownSession = processStatus(Deno.pid)?.session;

  /** kill(2). */
  send(caller: Caller, process: number, signal: number): Answer {
    if (process === caller.process) return GO_ON;
    const what: SignalToSend = { signal, info: null };
    if (process > 0) return this.#sendTo(caller, process, what);
    if (process === EVERYBODY) {
      return this.#sendToAll(caller, what, ({ pid }) => pid !== caller.process, Errno.ESRCH);
    }
    const own = requireStatus(caller.process);
    const group = process === 0 ? own.group : -process;
    // The caller is of this group, so that the number stays the group's.
    if (group === own.group && this.#isOfSession(own)) return GO_ON;
    return this.#sendToAll(caller, what, (one) => one.group === group, Errno.EPERM);
  }

  /** tkill(2): threads of other processes are refused. */
  sendToOwnThread({ process }: Caller, thread: number, signal: number): Answer {
    return { kind: "result", result: signalThread(process, thread, signal) };
  }

  /** tgkill(2) and rt_tgsigqueueinfo(2): the kernel looks whether the thread is the process's. */
  sendWithinProcess(caller: Caller, process: number): Answer {
    if (process !== caller.process) throw new CallError(Errno.EPERM);
    return GO_ON;
  }

  /** rt_sigqueueinfo(2). */
  queue(
    caller: Caller,
    process: number,
    signal: number,
    info: Uint8Array<ArrayBuffer>,
  ): Answer {
    if (process === caller.process) return GO_ON;
    if (process <= 0) throw new CallError(Errno.ESRCH);
    return this.#sendTo(caller, process, { signal, info });
  }

  /** pidfd_send_signal(2). */
  sendByDescriptor(
    caller: Caller,
    descriptor: number,
    signal: number,
    info: Uint8Array<ArrayBuffer> | null,
  ): Answer {
    const process = caller.processOf(descriptor);
    // As long as it still stands for that process, the number is nobody else's.
    const isStill = () => caller.processOf(descriptor) === process;
    return this.#sendTo(caller, process, { signal, info }, isStill);
  }

  #sendTo(
    caller: Caller,
    process: number,
    { signal, info }: SignalToSend,
    isStill: () => boolean = () => true,
  ): Answer {
    const held = openProcessDescriptor(process);
    if (held === undefined) throw new CallError(Errno.ESRCH);
    try {
      if (!isStill()) throw new CallError(Errno.ESRCH);
      if (!this.#isInSandboxOf(caller, process)) throw new CallError(Errno.EPERM);
      return { kind: "result", result: signalHeldProcess(held, signal, info) };
    } finally {
      closeDescriptor(held);
    }
  }

  #sendToAll(
    caller: Caller,
    { signal, info }: SignalToSend,
    isMeant: (status: ProcessStatus & { readonly pid: number }) => boolean,
    refusal: number,
  ): Answer {
    let found = false;
    let sent = false;
    for (const pid of descendantsOf(Deno.pid)) {
      const held: Descriptor | undefined = openProcessDescriptor(pid);
      if (held === undefined) continue;
      const status = processStatus(pid);
      if (status !== undefined && isMeant({ ...status, pid })) {
        found = true;
        sent = this.#isInSandboxOf(caller, pid) && signalHeldProcess(held, signal, info) === 0 ||
          sent;
      }
      closeDescriptor(held);
    }
    if (!sent) throw new CallError(found ? refusal : Errno.ESRCH);
    return { kind: "result", result: 0 };
  }

  #isInSandboxOf(caller: Caller, process: number): boolean {
    const own = requireStatus(caller.process);
    const other = requireStatus(process);
    if (this.#isOfSession(own) && other.session === own.session) return true;
    const ancestor = firstAncestor(process);
    return ancestor !== undefined && ancestor === firstAncestor(caller.process);
  }

  /** A program on a terminal is in this program's session until it has one of its own. */
  #isOfSession({ session }: ProcessStatus): boolean {
    return session > 0 && session !== this.#ownSession;
  }
}

/** The child of this program that a process is, or descends from. */
function firstAncestor(process: number): number | undefined {
  let pid = process;
  let parent = processStatus(pid)?.parent ?? 0;
  while (parent > 1 && parent !== Deno.pid) {
    const next = processStatus(parent)?.parent ?? 0;
    // As long as it has this parent, the number is nobody else's.
    if (processStatus(pid)?.parent !== parent) return undefined;
    [pid, parent] = [parent, next];
  }
  return parent === Deno.pid ? pid : undefined;
}

function requireStatus(process: number): ProcessStatus {
  const status = processStatus(process);
  if (status === undefined) throw new CallError(Errno.ESRCH);
  return status;
}
