import { threadBegins } from "../../os/thread_starts.ts";
import { openBell, ringBell } from "../../os/bell.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { WorkerThread } from "../worker_thread.ts";
import type { FromSupervisorThread, ToSupervisorThread } from "./messages.ts";
import { Performer, performerChannel } from "./performer.ts";
import type { AdmittedCommand, SupervisedCommands } from "./policy.ts";

/** Where the threads' module is: beside this one, or where the build puts it. */
const MODULE = import.meta.url.endsWith(".ts")
  ? new URL("./worker.ts", import.meta.url)
  : new URL("./src/sandbox/supervisor/worker.js", import.meta.url);

/** The threads of a supervisor, before there is anything to supervise. */
export class SupervisorThreads implements Disposable {
  #decider: SupervisorThread | undefined;
  #performer: SupervisorThread | undefined;

  /** Decides about calls. Made when it is first needed. */
  get decider(): SupervisorThread {
    return this.#decider ??= new WorkerThread(MODULE, "sandbox supervisor");
  }

  /** Makes them. Made when it is first needed. */
  get performer(): SupervisorThread {
    return this.#performer ??= new WorkerThread(MODULE, "sandbox performer");
  }

  /** Whether one of the threads has failed. */
  get failed(): boolean {
    return this.#decider?.failed || this.#performer?.failed || false;
  }

  /** Ends the one that makes calls, for the one that decides makes them itself. */
  endPerformer(): void {
    this.#performer?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#decider?.[Symbol.dispose]();
    this.endPerformer();
  }
}

type SupervisorThread = WorkerThread<ToSupervisorThread, FromSupervisorThread>;

/** What a supervisor needs to know. */
export interface SupervisorOptions {
  /** Tells of the calls that a filter hands over; the supervisor's from now on. */
  readonly listener: Descriptor;
  /** Landlock's rules for what is done on behalf of commands, where they are under such rules. */
  readonly ruleset: Descriptor | undefined;
  readonly commands: SupervisedCommands;
  readonly architecture: Architecture;
  /** Gets the connections to the executor's proxy, and the threads that made them. @default there are none */
  readonly connected?: ((connection: Descriptor, thread: number) => void) | undefined;
}

/**
 * Serves the calls that a filter of system calls hands over: decides about each by what it leads to,
 * and has it made by a thread with no more rights than the command (seccomp_unotify(2)).
 */
export class Supervisor implements Disposable {
  readonly #threads: SupervisorThreads;
  readonly #listener: Descriptor;
  readonly #bell: Descriptor;
  /** Undefined if the thread that decides about calls makes them, too. */
  readonly #performer: Performer | undefined;
  readonly #ended: Promise<void>;
  /** Commands of which the thread has not said yet that it judges them by their policies. */
  readonly #admissions = new Map<number, PromiseWithResolvers<void>>();
  /** Commands of which nothing is left; the thread hears of them with the next that is admitted. */
  #dismissed: number[] = [];
  #lastId = 0;
  #disposed = false;

  private constructor(
    threads: SupervisorThreads,
    listener: Descriptor,
    bell: Descriptor,
    performer: Performer | undefined,
  ) {
    this.#threads = threads;
    this.#listener = listener;
    this.#bell = bell;
    this.#performer = performer;
    const { decider } = threads;
    decider.onMessage((message) => {
      if (message.kind === "admitted") this.#admissions.get(message.id)?.resolve();
    });
    this.#ended = decider.next("ended").then(() => {}, () => {});
    void this.#ended.then(() => {
      for (const { reject } of this.#admissions.values()) reject(hasEnded());
    });
  }

  /**
   * Begins to serve. Calls made before wait.
   *
   * @param threads the supervisor's from now on
   * @throws {Error} if a thread has failed
   */
  static async begin(threads: SupervisorThreads, options: SupervisorOptions): Promise<Supervisor> {
    const { listener, ruleset, commands, architecture, connected = closeDescriptor } = options;
    const { decider } = threads;
    using _begins = threadBegins();
    const bell = openBell();
    if (ruleset === undefined) threads.endPerformer();
    const channel = ruleset === undefined ? undefined : performerChannel();
    const performer = channel && new Performer(channel);
    decider.onMessage((message) => {
      if (message.kind === "connected") connected(message.connection, message.thread);
    });
    const supervisor = new Supervisor(threads, listener, bell, performer);
    try {
      await Promise.all([decider.ready, channel && threads.performer.ready]);
      const begun = [decider.next("begun")];
      if (ruleset !== undefined && channel !== undefined) {
        begun.push(threads.performer.next("begun"));
        threads.performer.tell({ kind: "perform", ruleset, channel });
      }
      const supervision = { listener, bell, commands, performer: channel, architecture };
      decider.tell({ kind: "supervise", supervision });
      await Promise.all(begun);
      return supervisor;
    } catch (error) {
      supervisor[Symbol.dispose]();
      throw error;
    }
  }

  /** Calls back once if the supervisor fails: no call is served from then on. */
  onFailure(callback: (reason: Error) => void): void {
    const failed = (reason: Error) => {
      if (!this.#disposed) callback(reason);
    };
    this.#threads.decider.onFailure(failed);
    if (this.#performer !== undefined) this.#threads.performer.onFailure(failed);
  }

  /** Settles when no process is left that the supervisor serves, or it has ended otherwise. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /**
   * Has the calls of a command judged by its policy. To be dismissed when nothing is left of it.
   *
   * @throws {Error} if the supervisor has ended
   */
  async admit(command: AdmittedCommand): Promise<Disposable> {
    if (this.#disposed) throw hasEnded();
    const id = ++this.#lastId;
    const admission = Promise.withResolvers<void>();
    this.#admissions.set(id, admission);
    this.#tell({ kind: "admit", id, command, dismissed: this.#dismissed });
    this.#dismissed = [];
    try {
      await admission.promise;
    } finally {
      this.#admissions.delete(id);
    }
    return { [Symbol.dispose]: () => void this.#dismissed.push(id) };
  }

  /** Serves no call any more: those that wait, and all that follow, fail with ENOSYS. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#tell({ kind: "end" });
    this.#disposed = true;
    this.#performer?.end();
    // Only then nobody uses the descriptors any more.
    void this.#ended.then(() => {
      closeDescriptor(this.#bell);
      closeDescriptor(this.#listener);
      this.#threads[Symbol.dispose]();
    });
  }

  /** The thread does not hear what it is told while it waits for calls, but the bell. */
  #tell(message: ToSupervisorThread): void {
    if (this.#disposed) return;
    this.#threads.decider.tell(message);
    ringBell(this.#bell);
  }
}

function hasEnded(): Error {
  return new Error("the supervisor of sandboxed commands has ended");
}
