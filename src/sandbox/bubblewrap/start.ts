import { closeDescriptor } from "../../os/descriptor.ts";
import { openProcessDescriptor } from "../../os/pidfd.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import { childrenOf, isRunning } from "../../os/procfs.ts";
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
import type { SandboxedBirth } from "../mechanism.ts";
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
  const atGate = await whileGateShut(setup, channels, (firstProcess) => {
    // The thread that has started it is not in the group, and may not enter it.
    if (setup.starter !== undefined) birth.group?.admit([wrapper.pid, firstProcess]);
  });
  const ready = atGate.kind !== "failed" && await channels.setUp();
  const { firstProcess } = channels.readStatus();
  const released = ended(firstProcess).then(() => {
    if (atGate.kind === "done") atGate.relay?.[Symbol.dispose]();
    release();
  });
  if (!ready || firstProcess === undefined) {
    // It has said why before it let go of the gate.
    wrapper.kill();
    const complaint = await listener.collect(() => wrapper.resume());
    setup.starter?.group.exited(wrapper.pid);
    wrapper.abandon();
    channels[Symbol.dispose]();
    await released;
    const why = atGate.kind === "failed" && complaint === "" ? atGate.reason : complaint;
    throw internalError(`the sandbox could not be set up, nothing was started: ${why}`);
  }
  const detour = {
    ...commandSignals(firstProcess, setup.takesTerminal),
    abandon: () => {
      wrapper.abandon();
      channels[Symbol.dispose]();
    },
  };
  // On a terminal without it is in its wrapper's.
  const sessions = birth.stdio.kind !== "pty" || setup.takesTerminal ? [firstProcess] : [];
  const child = new SandboxedChild(wrapper, sandbox, detour, sessions);
  child.hold();
  listener.tell({
    output: (stream, bytes) => observer.output(stream, bytes),
    exited: (exitCode) => {
      channels[Symbol.dispose]();
      setup.starter?.group.exited(wrapper.pid);
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
  { argv, descriptors, takesTerminal, starter }: WrapperSetup,
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
    const wrapper = starter === undefined
      ? startLinuxChild(command, listener)
      : await startLinuxChildElsewhere((launch) => starter.group.spawn(launch), command, listener);
    wrapper.pause();
    starter?.group.watch(wrapper.pid, () => wrapper.kill());
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
  | { readonly kind: "done"; readonly relay: PortRelay | undefined }
  | { readonly kind: "failed"; readonly reason: string };

/** Does what has to be done before the command, which waits at the gate, and opens that. */
async function whileGateShut(
  { portAccess, starter, verify }: WrapperSetup,
  channels: WrapperChannels,
  limit: (firstProcess: number) => void,
): Promise<GateResult> {
  const firstProcess = await channels.firstProcess();
  if (firstProcess === undefined) return { kind: "failed", reason: "the wrapper ended" };
  const gated = starter?.group.gated;
  gated?.enter(firstProcess);
  let relay: PortRelay | undefined;
  try {
    limit(firstProcess);
    if (portAccess !== undefined) relay = await relayPorts(firstProcess, portAccess);
    await verify(firstProcess);
  } catch (error) {
    relay?.[Symbol.dispose]();
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  } finally {
    gated?.leave(firstProcess);
  }
  channels.openGate();
  return { kind: "done", relay };
}

/** The sandbox's network is there before the command. */
async function relayPorts(pid: number, access: PortAccess): Promise<PortRelay> {
  const { openRelay } = await import("../network/port_relay.ts");
  return await openRelay(pid, access);
}

/** Waits until a process has ended, whoever its parent is; one that never was has. */
function ended(pid: number | undefined): Promise<void> {
  const descriptor = pid === undefined ? undefined : openProcessDescriptor(pid);
  if (descriptor === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    sharedPoller().watch(descriptor, Ready.Input, () => {
      sharedPoller().unwatch(descriptor);
      closeDescriptor(descriptor);
      resolve();
    });
  });
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
