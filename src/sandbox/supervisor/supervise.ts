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
import { FileCalls } from "./file_calls.ts";
import { Openings } from "./openings.ts";
import { OwnCalls, Performer } from "./performer.ts";
import { rawCall } from "../../os/raw_call.ts";
import { PathJudge, type SupervisorPolicy } from "./policy.ts";
import { Signals } from "./signals.ts";

/** Everything that can be handed over. */
const ALL = { names: true, metadata: true, reads: true, connections: true, signals: true };
/** How often calls are tried again that have to wait, in milliseconds, unless that takes long itself. */
const RETRY_MS = 5;
/** Trying again takes this part of the time at most. */
const RETRY_SHARE = 0.1;
const FOREVER = -1;
const SHARED: OwnNamespaces = { mounts: false, processes: false };

/** What a supervisor works with. */
export interface Supervision {
  /** Tells of the calls (see `NotificationListener`). */
  readonly listener: Descriptor;
  /** Readable when the supervisor is to end. */
  readonly alarm: Descriptor;
  readonly policy: SupervisorPolicy;
  /** Leads to the thread that makes the calls (see `performerChannel`); undefined: this one does. */
  readonly performer: SharedArrayBuffer | undefined;
  readonly architecture: Architecture;
}

/** A call that waits for something else than its supervisor. */
interface WaitingCall {
  readonly id: bigint;
  readonly operation: Operation;
  /** How far it has got, if that is not to be done again. */
  begun: BegunCall | undefined;
}

/**
 * Serves the calls that a filter hands over, until no process is left that has the filter, or until
 * the alarm. Holds this thread up.
 *
 * A call is served by this thread alone, one after the other. Whatever could wait for somebody else
 * is tried again later instead.
 *
 * @param connected gets the connections to the executor's proxy
 */
export function supervise(supervision: Supervision, connected: Connected): void {
  const listener = new NotificationListener(supervision.listener, supervision.alarm);
  using supervisor = new Supervisor(listener, supervision, connected);
  for (;;) {
    switch (listener.wait(supervisor.patienceMs)) {
      case "notification":
        supervisor.serveNext();
        break;
      case "alarm":
      case "over":
        return;
    }
    supervisor.retry();
  }
}

class Supervisor implements Disposable {
  readonly #listener: NotificationListener;
  readonly #operations: AllOperations;
  readonly #calls: ReadonlyMap<number, CallName>;
  readonly #own: OwnNamespaces;
  /** What has no more filters than this is no command yet, but what encloses it. */
  readonly #trustedFilters: number;
  readonly #statuses = new ThreadStatuses();
  #waiting: WaitingCall[] = [];
  #nextRetry = 0;

  constructor(
    listener: NotificationListener,
    { policy, performer, architecture }: Supervision,
    connected: Connected,
  ) {
    this.#listener = listener;
    const performs = performer === undefined ? new OwnCalls(rawCall) : new Performer(performer);
    const { mask: ownMask, filters: ownFilters } = ownStatus();
    const calls = new FileCalls(new PathJudge(policy), performs, architecture, ownMask);
    this.#operations = {
      openings: new Openings(calls),
      changes: new Changes(calls),
      connections: new Connections(policy, connected, performs, architecture),
      signals: new Signals(),
    };
    this.#own = policy.own ?? SHARED;
    // bubblewrap has the filter that hands calls over, and puts one more in force for the command.
    this.#trustedFilters = this.#own.mounts ? ownFilters + 1 : 0;
    this.#calls = new Map(
      supervisedCalls(ALL, architecture).map(({ number, call }) => [number, call]),
    );
  }

  /** How long to wait for the next call, in milliseconds. */
  get patienceMs(): number {
    if (this.#waiting.length === 0) return FOREVER;
    return Math.max(0, Math.ceil(this.#nextRetry - performance.now()));
  }

  serveNext(): void {
    const notification = this.#listener.receive();
    if (notification === undefined) return;
    const { id, thread } = notification;
    const isWaiting = () => this.#listener.isWaiting(id);
    const caller = new Caller(thread, this.#own, this.#statuses, isWaiting);
    if (this.#isTrusted(caller)) return this.#listener.letGoOn(id);
    let operation: Operation | undefined;
    const answer = outcomeOf(() => {
      operation = this.#read(notification, caller);
      return operation(this.#operations);
    });
    if (answer.kind !== "later") return this.#answer(id, answer);
    if (operation === undefined) return;
    if (this.#waiting.length === 0) this.#nextRetry = performance.now() + RETRY_MS;
    this.#waiting.push({ id, operation, begun: answer.begun });
  }

  /** Tries those again that wait. */
  retry(): void {
    if (this.#waiting.length === 0) return;
    const began = performance.now();
    if (began < this.#nextRetry) return;
    this.#waiting = this.#waiting.filter((call) => {
      const { id, operation, begun } = call;
      if (!this.#listener.isWaiting(id)) {
        begun?.[Symbol.dispose]();
        return false;
      }
      const answer = outcomeOf(() => begun?.goOn() ?? operation(this.#operations));
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

  #isTrusted(caller: Caller): boolean {
    if (!this.#own.mounts) return false;
    try {
      return caller.filters <= this.#trustedFilters;
    } catch (error) {
      // It has ended meanwhile.
      if (error instanceof CallError) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const { begun } of this.#waiting) begun?.[Symbol.dispose]();
    this.#operations.connections[Symbol.dispose]();
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
    const { descriptor, closeOnExec, writable } = answer;
    // What is still open for writing here when the command goes on cannot be executed (ETXTBSY).
    const result = writable
      ? this.#listener.addDescriptor(id, descriptor, closeOnExec)
      : this.#listener.answerDescriptor(id, descriptor, closeOnExec);
    closeDescriptor(descriptor);
    if (writable || result < 0) this.#listener.answer(id, result);
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
