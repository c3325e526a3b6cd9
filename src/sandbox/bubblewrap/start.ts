import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { ENOSYS, lastErrno } from "../../os/errno.ts";
import { openProcessDescriptor } from "../../os/pidfd.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import { childrenOf, isRunning, parentAndPower } from "../../os/procfs.ts";
import { threadsBegun } from "../../os/thread_starts.ts";
import { Signal, signalGroup, signalProcess } from "../../os/signals.ts";
import {
  type Child,
  type ChildCommand,
  type ChildObserver,
  type ChildSandbox,
  StartError,
} from "../../process/child.ts";
import { startLinuxChild, startLinuxChildElsewhere } from "../../process/linux/start.ts";
import { internalError } from "../../protocol/errors.ts";
import type { PortAccess, PortRelay } from "../network/port_relay.ts";
import { SandboxedChild } from "../sandboxed_child.ts";
import { type SandboxedBirth, SetUpFailure } from "../mechanism.ts";
import type { WrapperSetup } from "./mechanism.ts";
import { WrapperChannels } from "./wrapper_channels.ts";
import { setImmediate } from "node:timers";

/**
 * Starts a command in its wrapper and waits until its sandbox stands.
 *
 * The last event is told when no process of the sandbox is left and what it needed on the disk has
 * been given back.
 *
 * @throws {StartError} when the wrapper could not be started
 * @throws {RpcError} -32603 when the wrapper could not set the sandbox up, in the wrapper's words
 */
export async function startInWrapper(
  setup: WrapperSetup,
  release: () => void,
  sandbox: ChildSandbox,
  birth: SandboxedBirth,
  observer: ChildObserver,
): Promise<Child> {
  const listener = new Listener();
  const { wrapper, channels } = await startWrapper(setup, release, birth, listener);
  const atGate = await whileGateShut(setup, channels, wrapper.pid, (firstProcess) => {
    // The thread that has started it is not in the group, and may not enter it.
    if (setup.keeper !== undefined) birth.group?.admit([wrapper.pid, firstProcess]);
  });
  const passed = atGate.kind !== "failed" && await channels.passed();
  const released = atGate.gone.then(() => {
    if (atGate.kind === "done") atGate.relay?.[Symbol.dispose]();
    release();
  });
  if (atGate.kind === "failed" || !passed) {
    // It has said why before it let go of the gate.
    wrapper.kill();
    const complaint = await listener.collect(() => wrapper.resume());
    wrapper.abandon();
    channels[Symbol.dispose]();
    await released;
    const why = atGate.kind === "failed" && complaint === "" ? atGate.reason : complaint;
    throw internalError(
      `the sandbox could not be set up, nothing was started: ${why}`,
      new SetUpFailure(why),
    );
  }
  const detour = {
    ...commandSignals(atGate.firstProcess, setup.takesTerminal),
    abandon: () => {
      wrapper.abandon();
      channels[Symbol.dispose]();
    },
  };
  // On a terminal without it is in its wrapper's.
  const sessions = birth.stdio.kind !== "pty" || setup.takesTerminal ? [atGate.firstProcess] : [];
  const child = new SandboxedChild(wrapper, sandbox, detour, sessions);
  child.hold();
  listener.tell({
    output: (stream, bytes) => observer.output(stream, bytes),
    exited: (exitCode) => {
      channels[Symbol.dispose]();
      observer.exited(exitCode);
    },
    ended: () => void released.then(() => observer.ended()),
  });
  // In a later turn, when whoever awaits the child has it.
  setImmediate(() => child.letGo());
  return child;
}

interface StartedWrapper {
  /** Paused. */
  readonly wrapper: Child;
  readonly channels: WrapperChannels;
}

async function startWrapper(
  { argv, descriptors, takesTerminal, keeper }: WrapperSetup,
  release: () => void,
  { stdio, group }: SandboxedBirth,
  listener: Listener,
): Promise<StartedWrapper> {
  let channels: WrapperChannels | undefined;
  try {
    channels = new WrapperChannels(descriptors);
    const command: ChildCommand = {
      argv,
      cwd: "/",
      // The command's own is among what the wrapper is told.
      env: {},
      stdio: stdio.kind === "pty" ? { ...stdio, controlling: !takesTerminal } : stdio,
      descriptors: channels.forWrapper,
      sealed: true,
      group,
    };
    await threadsBegun();
    const wrapper = keeper === undefined
      ? startLinuxChild(command, listener)
      : await startLinuxChildElsewhere(keeper.group, command, listener);
    wrapper.pause();
    keeper?.group.watch(wrapper.pid, () => wrapper.kill());
    return { wrapper, channels };
  } catch (error) {
    channels?.[Symbol.dispose]();
    release();
    if (error instanceof StartError) throw error;
    throw new StartError(error instanceof Error ? error.message : String(error), { cause: error });
  } finally {
    channels?.handedOver();
  }
}

type GateResult =
  & {
    /** Settles when the sandbox's first process, the last of all to end, has ended. */
    readonly gone: Promise<void>;
  }
  & (
    | {
      readonly kind: "done";
      readonly firstProcess: number;
      readonly relay: PortRelay | undefined;
    }
    | { readonly kind: "failed"; readonly reason: string }
  );

/** Does what has to be done before the command, which waits at the gate, and opens that. */
async function whileGateShut(
  { portAccess, keeper, verify }: WrapperSetup,
  channels: WrapperChannels,
  wrapper: number,
  limit: (firstProcess: number) => void,
): Promise<GateResult> {
  let relay: PortRelay | undefined;
  let gone = Promise.resolve();
  try {
    // Whatever were done meanwhile could take the wrapper's processor from it.
    await channels.ready();
    const { firstProcess } = channels.readStatus();
    if (firstProcess === undefined) return { kind: "failed", reason: "the wrapper ended", gone };
    gone = ended(holdFirstProcess(firstProcess, wrapper));
    limit(firstProcess);
    const admitted = keeper?.admit(firstProcess, wrapper);
    // It is told below, unless something else has failed before.
    admitted?.catch(() => {});
    if (portAccess !== undefined) relay = await relayPorts(firstProcess, portAccess);
    await verify(firstProcess);
    await admitted;
    channels.openGate();
    return { kind: "done", firstProcess, relay, gone };
  } catch (error) {
    relay?.[Symbol.dispose]();
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error), gone };
  }
}

/**
 * Holds the first process of a sandbox, while its parent has not reaped it: its number could be
 * another's otherwise. Undefined where the kernel has no such descriptors, as gVisor.
 *
 * @throws {Error} if it is not there, has capabilities left by which something could be mounted, or there
 * are no descriptors left
 */
function holdFirstProcess(pid: number, wrapper: number): Descriptor | undefined {
  const descriptor = openProcessDescriptor(pid);
  if (descriptor === undefined && lastErrno() !== ENOSYS) {
    throw new Error("its first process cannot be watched");
  }
  const { parent, powerless } = parentAndPower(pid) ?? {};
  if (parent === wrapper && powerless) return descriptor;
  if (descriptor !== undefined) closeDescriptor(descriptor);
  throw new Error(
    parent === wrapper ? "something could still be mounted in it" : "its first process has ended",
  );
}

/** The sandbox's network is there before the command. */
async function relayPorts(pid: number, access: PortAccess): Promise<PortRelay> {
  const { openRelay } = await import("../network/port_relay.ts");
  return await openRelay(pid, access);
}

/** Waits until a process has ended, whoever its parent is. */
async function ended(descriptor: Descriptor | undefined): Promise<void> {
  if (descriptor === undefined) return;
  await sharedPoller().once(descriptor, Ready.Input);
  closeDescriptor(descriptor);
}

/** Hears a wrapper out, on its own behalf or on that of the command. */
class Listener implements ChildObserver {
  #observer: ChildObserver | undefined;

  /** Tells this observer what is heard from now on. */
  tell(observer: ChildObserver): void {
    this.#observer = observer;
  }

  /** Collects what the wrapper says until its exit. */
  collect(begin: () => void): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    return new Promise((resolve) => {
      this.tell({
        output: (_, bytes) => text += decoder.decode(bytes, { stream: true }),
        exited: () => resolve(text.trim()),
        ended: () => {},
      });
      begin();
    });
  }

  output(...event: Parameters<ChildObserver["output"]>): void {
    this.#observer?.output(...event);
  }

  exited(exitCode: number): void {
    this.#observer?.exited(exitCode);
  }

  ended(): void {
    this.#observer?.ended();
  }
}

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
    requestEnd: () => {
      const running = isRunning(firstProcess);
      send(Signal.Terminate);
      return running;
    },
    hangUp: () => send(Signal.HangUp),
  };
}
