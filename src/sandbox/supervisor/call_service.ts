import { hearBell } from "../../os/bell.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { type Notification, NotificationListener } from "../../os/notifications.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { CallError, Errno } from "./call_error.ts";
import { Caller, type OwnNamespaces, ownStatus, ThreadStatuses } from "./caller.ts";
import { type CallName, supervisedCalls } from "./calls.ts";
import { type Connected, Connections } from "./connections.ts";
import { type AllOperations, type Operation, readCall } from "./dispatch.ts";
import type { Answer, BegunCall } from "./answer.ts";
import { Changes } from "./changes.ts";
import { CallMemory, FileCalls } from "./file_calls.ts";
import { Openings } from "./openings.ts";
import { OwnCalls, Performer } from "./performer.ts";
import { rawCall } from "../../os/raw_call.ts";
import {
  type AdmittedCommand,
  PathJudge,
  type SupervisedCommands,
  type SupervisorPolicy,
} from "./policy.ts";
import { Signals } from "./signals.ts";
import { Turns } from "./turns.ts";

/** Everything that can be handed over. */
const ALL = { names: true, metadata: true, reads: true, connections: true, signals: true };
/** How often calls are tried again that have to wait, in milliseconds, unless that takes long itself. */
const RETRY_MS = 5;
/** Trying again takes this part of the time at most. */
const RETRY_SHARE = 0.1;
const FOREVER = -1;
/** How many calls are taken in, so that all kinds of them are known, before one is served. */
const MAX_TAKEN = 32;
const SHARED: OwnNamespaces = { mounts: false, processes: false };

/** What a supervisor works with. */
export interface Supervision {
  /** Tells of the calls (see `NotificationListener`). */
  readonly listener: Descriptor;
  /** Rung for each message to the thread, which hears none while it waits for calls. */
  readonly bell: Descriptor;
  readonly commands: SupervisedCommands;
  /** Leads to the thread that makes the calls (see `performerChannel`); undefined: this one does. */
  readonly performer: SharedArrayBuffer | undefined;
  readonly architecture: Architecture;
}

/** A call that has been taken in. */
interface TakenCall {
  readonly notification: Notification;
  readonly caller: Caller;
  readonly operations: AllOperations;
}

/** A call that waits for something else than its supervisor. */
interface WaitingCall {
  readonly id: bigint;
  readonly operation: Operation;
  readonly operations: AllOperations;
  /** How far it has got, if that is not to be done again. */
  begun: BegunCall | undefined;
}

/**
 * Serves the calls that a filter hands over.
 *
 * Calls are served by one thread, one after the other. Whatever could wait for somebody else is tried
 * again later instead. Where each command has a policy of its own, their calls get their turns: one
 * that makes thousands at a time does not hold the others up.
 */
export class CallService implements Disposable {
  readonly #listener: NotificationListener;
  readonly #bell: Descriptor;
  /** What is done for a command, by its mount namespace, where each has a policy of its own. */
  readonly #admitted = new Map<
    string,
    { readonly id: number; readonly operations: AllOperations }
  >();
  /** What is done for all commands, where they have the same policy. */
  readonly #shared: AllOperations | undefined;
  readonly #connections: Connections;
  readonly #operationsUnder: (
    policy: Pick<SupervisorPolicy, "grants" | "devices">,
  ) => AllOperations;
  readonly #calls: ReadonlyMap<number, CallName>;
  readonly #own: OwnNamespaces;
  /** What has no more filters than this is no command yet, but what encloses it. */
  readonly #trustedFilters: number;
  readonly #statuses = new ThreadStatuses();
  readonly #taken = new Turns<AllOperations, TakenCall>();
  #waiting: WaitingCall[] = [];
  #nextRetry = 0;

  /** @param connected gets the connections to the executor's proxy */
  constructor(supervision: Supervision, connected: Connected) {
    const { listener, bell, commands, performer, architecture } = supervision;
    this.#listener = new NotificationListener(listener, bell);
    this.#bell = bell;
    const performs = performer === undefined ? new OwnCalls(rawCall) : new Performer(performer);
    const { mask: ownMask, filters: ownFilters } = ownStatus();
    const network = commands.kind === "alike" ? commands.policy : { ports: [] };
    this.#connections = new Connections(network, connected, performs, architecture);
    const [connections, signals] = [this.#connections, new Signals()];
    const memory = new CallMemory();
    const servesModes = commands.kind === "alike";
    const common = { performer: performs, memory, architecture, ownMask, servesModes };
    this.#operationsUnder = (policy) => {
      const calls = new FileCalls({ ...common, judge: new PathJudge(policy) });
      return { openings: new Openings(calls), changes: new Changes(calls), connections, signals };
    };
    this.#shared = commands.kind === "alike" ? this.#operationsUnder(commands.policy) : undefined;
    this.#own = commands.kind === "alike"
      ? SHARED
      : { mounts: true, processes: commands.ownProcesses };
    // bubblewrap has the filter that hands calls over, and puts one more in force for the command.
    this.#trustedFilters = this.#own.mounts ? ownFilters + 1 : 0;
    this.#calls = new Map(
      supervisedCalls(ALL, architecture).map(({ number, call }) => [number, call]),
    );
  }

  /** Judges the calls of a command by its policy from now on. */
  admit(id: number, { mounts, grants }: AdmittedCommand): void {
    this.#admitted.set(mounts, { id, operations: this.#operationsUnder({ grants, devices: [] }) });
  }

  /** Nothing is left of a command that was admitted. Another may have its namespace's name by now. */
  dismiss(id: number): void {
    for (const [mounts, command] of this.#admitted) {
      if (command.id === id) this.#admitted.delete(mounts);
    }
  }

  /**
   * Serves calls, holding this thread up, until the bell is rung or no process is left that has the
   * filter. Returns how often it was rung; then 0.
   */
  serve(): number {
    for (let taken = 0;;) {
      const wait = this.#listener.wait(this.#taken.isEmpty ? this.#patienceMs : 0);
      if (wait === "bell") return hearBell(this.#bell);
      if (wait === "over") return 0;
      if (wait === "notification" && taken++ < MAX_TAKEN) {
        this.#take();
        if (this.#takesTurns) continue;
      }
      taken = 0;
      this.#serveNext();
      this.#retry();
    }
  }

  /** Whether there are commands whose calls could hold up those of others. */
  get #takesTurns(): boolean {
    return this.#admitted.size > 1;
  }

  /** How long to wait for the next call, in milliseconds. */
  get #patienceMs(): number {
    if (this.#waiting.length === 0) return FOREVER;
    return Math.max(0, Math.ceil(this.#nextRetry - performance.now()));
  }

  #take(): void {
    const notification = this.#listener.receive();
    if (notification === undefined) return;
    const { id, thread } = notification;
    const isWaiting = () => this.#listener.isWaiting(id);
    const caller = new Caller(thread, this.#own, this.#statuses, isWaiting);
    try {
      if (this.#isTrusted(caller)) return this.#listener.letGoOn(id);
      const operations = this.#operationsFor(caller);
      this.#taken.add(operations, { notification, caller, operations });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#listener.answer(id, -error.errno);
    }
  }

  #serveNext(): void {
    const taken = this.#taken.next();
    if (taken === undefined) return;
    const { notification, caller, operations } = taken;
    const { id } = notification;
    let operation: Operation | undefined;
    const answer = outcomeOf(() => {
      operation = this.#read(notification, caller);
      return operation(operations);
    });
    if (answer.kind !== "later") return this.#answer(id, answer);
    if (operation === undefined) return;
    if (this.#waiting.length === 0) this.#nextRetry = performance.now() + RETRY_MS;
    this.#waiting.push({ id, operation, operations, begun: answer.begun });
  }

  /** Tries those again that wait. */
  #retry(): void {
    if (this.#waiting.length === 0) return;
    const began = performance.now();
    if (began < this.#nextRetry) return;
    this.#waiting = this.#waiting.filter((call) => {
      const { id, operation, operations, begun } = call;
      if (!this.#listener.isWaiting(id)) {
        begun?.[Symbol.dispose]();
        return false;
      }
      const answer = outcomeOf(() => begun?.goOn() ?? operation(operations));
      if (answer.kind === "later") {
        call.begun = answer.begun;
        return true;
      }
      this.#answer(id, answer);
      return false;
    });
    const now = performance.now();
    this.#nextRetry = now + Math.max(RETRY_MS, (now - began) / RETRY_SHARE);
  }

  /** @throws {CallError} */
  #isTrusted(caller: Caller): boolean {
    return this.#own.mounts && caller.filters <= this.#trustedFilters;
  }

  /** @throws {CallError} EPERM if it is nobody's that is known */
  #operationsFor(caller: Caller): AllOperations {
    const operations = this.#shared ?? this.#admitted.get(caller.mounts)?.operations;
    if (operations === undefined) throw new CallError(Errno.EPERM);
    return operations;
  }

  [Symbol.dispose](): void {
    for (const { begun } of this.#waiting) begun?.[Symbol.dispose]();
    this.#connections[Symbol.dispose]();
    this.#statuses[Symbol.dispose]();
  }

  #read({ id, number, arguments: args }: Notification, caller: Caller): Operation {
    const call = this.#calls.get(number);
    if (call === undefined) throw new CallError(Errno.EPERM);
    const operation = readCall(call, caller, args);
    // What has been read is of whoever made the call, and not of one with the same number.
    if (!this.#listener.isWaiting(id)) throw new CallError(Errno.EINTR);
    return operation;
  }

  #answer(id: bigint, answer: Exclude<Answer, { kind: "later" }>): void {
    if (answer.kind === "result") return this.#listener.answer(id, answer.result);
    if (answer.kind === "goOn") return this.#listener.letGoOn(id);
    const { descriptor, closeOnExec, closedFirst } = answer;
    const result = closedFirst
      ? this.#listener.addDescriptor(id, descriptor, closeOnExec)
      : this.#listener.answerDescriptor(id, descriptor, closeOnExec);
    closeDescriptor(descriptor);
    if (closedFirst || result < 0) this.#listener.answer(id, result);
  }
}

function outcomeOf(action: () => Answer): Answer {
  try {
    return action();
  } catch (error) {
    // Whatever a command hands over, it is the call that fails and not the supervisor.
    const errno = error instanceof CallError ? error.errno : Errno.EIO;
    return { kind: "result", result: -errno };
  }
}
