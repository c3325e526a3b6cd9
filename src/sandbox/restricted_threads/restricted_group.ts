import { setImmediate } from "node:timers/promises";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { childrenOfMainThread, descendantsOf, processStatus } from "../../os/procfs.ts";
import { ownChildren, Signal, signalProcess } from "../../os/signals.ts";
import { threadBegins, threadsBegun } from "../../os/thread_starts.ts";
import { launchProgramElsewhere, type ProgramLaunch } from "../../os/spawn.ts";
import type { ProgramStarter } from "../../process/linux/start.ts";
import { internalError } from "../../protocol/errors.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { threadFilter } from "../seccomp/thread_filter.ts";
import type { AdmittedCommand, SupervisedCommands } from "../supervisor/policy.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { ProxiedCommands } from "./proxied_commands.ts";
import type { SpareThreads } from "./spare_threads.ts";
import type { WorkerThread } from "../worker_thread.ts";
import type { FromSpawner, ThreadRestrictions, ToSpawner } from "./messages.ts";
import { ThreadSpawner } from "./thread_spawner.ts";

/** What all commands of one plan have in common. */
export interface GroupPlan {
  readonly restrictions: ThreadRestrictions;
  /** Whose calls are supervised; undefined if there is nothing to supervise. */
  readonly supervised: SupervisedCommands | undefined;
  readonly architecture: Architecture;
}

/**
 * The threads that start the commands of one plan and supervise them.
 *
 * One that fails takes the whole group with it, and the commands of the group. The supervisor stays
 * for as long as any process is left that a command has started.
 */
export class RestrictedGroup implements ProgramStarter, Disposable {
  readonly #spawner: WorkerThread<ToSpawner, FromSpawner>;
  readonly #spawns = new ThreadSpawner(() => this.#spawner.number);
  /** Commands that have been started and have not ended, with a way to kill each once there is one. */
  readonly #running = new Map<number, (() => void) | undefined>();
  /** Sessions of commands that have ended and, when that was looked at last, left something behind. */
  readonly #left = new Set<number>();
  /** Whether the next turn finds out of which of them nothing is left. */
  #looksForEmpty = false;
  readonly #ended = Promise.withResolvers<void>();
  readonly #proxied = new ProxiedCommands();
  /** Undefined if there is nothing to supervise. */
  #supervisor: Promise<Supervisor> | undefined;
  #failure: Error | undefined;
  #retired = false;

  private constructor(spawner: WorkerThread<ToSpawner, FromSpawner>) {
    this.#spawner = spawner;
    spawner.onFailure((reason) => this.fail(reason));
  }

  /**
   * Puts a plan in force.
   *
   * @param threads the group's from now on
   * @throws {RpcError} -32603 if it cannot be
   */
  static async make(threads: SpareThreads, plan: GroupPlan): Promise<RestrictedGroup> {
    const { spawner } = threads;
    const group = new RestrictedGroup(spawner);
    threads.take();
    // Programs that sandbox commands by other means make calls at once, which wait for an answer.
    const needed = plan.restrictions.landlock === undefined
      ? [spawner.ready, threads.supervisor.decider.ready]
      : [spawner.ready];
    using _begins = threadBegins();
    try {
      await Promise.all(needed);
      const restricted = spawner.next("restricted");
      const { restrictions } = plan;
      const { shared: spawns } = group.#spawns;
      spawner.tell({ restrictions, threadFilter: filterFor(spawner.number, plan), spawns });
      const { outcome } = await restricted;
      if (outcome.kind === "failed") throw new Error(outcome.reason);
      const { ruleset, listener } = outcome;
      group.#superviseSoon(threads, plan, ruleset, listener);
      return group;
    } catch (error) {
      threads[Symbol.dispose]();
      const why = error instanceof Error ? error.message : String(error);
      throw internalError(`the sandbox could not be set up, nothing was started: ${why}`);
    }
  }

  /** Whether it can start commands. */
  get works(): boolean {
    return this.#failure === undefined && !this.#retired;
  }

  /** Whether a command runs. What ended ones have left behind is not asked for. */
  get running(): boolean {
    return this.#running.size > 0;
  }

  /** Settles when none of its threads is left. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Starts a program. Returns its number.
   *
   * @throws {SpawnError} when the system refuses
   * @throws {Error} when the thread has failed
   */
  async spawn(launch: ProgramLaunch): Promise<number> {
    await threadsBegun();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#retired) throw internalError("the threads for this sandbox have ended");
    const pid = await launchProgramElsewhere(
      launch,
      (call, hold) => this.#spawns.spawn(call, hold),
    );
    this.#running.set(pid, undefined);
    return pid;
  }

  /**
   * Has the calls of a command judged by a policy of its own, where the commands of the plan are
   * apart. To be dismissed when nothing is left of it.
   *
   * @throws {Error} when a thread has failed
   */
  async admit(command: AdmittedCommand): Promise<Disposable> {
    if (this.#supervisor === undefined) throw new Error("nothing is supervised");
    return await (await this.#supervisor).admit(command);
  }

  /** Kills a command if the group fails, until it has {@linkcode exited}. */
  watch(pid: number, kill: () => void): void {
    if (this.#failure !== undefined) kill();
    else if (this.#running.has(pid)) this.#running.set(pid, kill);
  }

  /**
   * Has a command's connections to the executor's proxy served, and those of whatever it starts.
   *
   * @param take gets them
   */
  serve(pid: number, take: (connection: Descriptor) => void): void {
    this.#proxied.add(pid, take);
  }

  /** The group is somebody else's now: nothing is left of the commands so far. */
  passOn(): void {
    this.#proxied.clear();
  }

  /** A command has ended. What it left behind is still the group's. */
  exited(pid: number): void {
    this.#running.delete(pid);
    this.#left.add(pid);
    if (this.#looksForEmpty) return;
    this.#looksForEmpty = true;
    // Whoever waits for the command's end is told first.
    void setImmediate().then(() => this.#forgetEmptySessions());
  }

  /** Starts no command any more. Ends when the last of its processes has. */
  retire(): void {
    if (!this.works) return;
    this.#retired = true;
    this.#endSpawner();
    if (this.#supervisor === undefined) this.#ended.resolve();
  }

  /** Ends at once. Calls that would be served fail from now on. */
  [Symbol.dispose](): void {
    this.#retired = true;
    this.#endSpawner();
    // One that has failed has nothing left to dispose of.
    this.#supervisor?.then((supervisor) => supervisor[Symbol.dispose](), () => {});
    this.#ended.resolve();
  }

  #endSpawner(): void {
    this.#spawns.end();
    this.#spawner[Symbol.dispose]();
  }

  /** Once the first command is on its way: its calls wait until they are served. */
  #superviseSoon(
    threads: SpareThreads,
    { supervised, architecture }: GroupPlan,
    ruleset: Descriptor | undefined,
    listener: Descriptor | undefined,
  ): void {
    if (supervised === undefined || listener === undefined) {
      threads.endSupervisor();
      if (ruleset !== undefined) closeDescriptor(ruleset);
      return;
    }
    const begin = async () => {
      try {
        await setImmediate();
        const connected = (connection: Descriptor, thread: number) =>
          this.#proxied.take(connection, thread);
        const options = { listener, ruleset, commands: supervised, architecture, connected };
        return await Supervisor.begin(threads.supervisor, options);
      } finally {
        if (ruleset !== undefined) closeDescriptor(ruleset);
      }
    };
    this.#supervisor = begin();
    this.#supervisor.then((supervisor) => {
      supervisor.onFailure((reason) => this.fail(reason));
      void supervisor.ended.then(() => this.#failure ?? this[Symbol.dispose]());
    }, (reason) => this.fail(reason));
  }

  /** Another session may get the number of one of which nothing is left. */
  #forgetEmptySessions(): void {
    this.#looksForEmpty = false;
    const sessions = new Set(processesLeft().map(({ session }) => session));
    for (const session of this.#left) {
      if (!sessions.has(session)) this.#left.delete(session);
    }
  }

  /** Takes the commands along: none of their calls would be served any more. */
  fail(reason: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = internalError(`a thread for sandboxed commands has failed: ${reason.message}`);
    this[Symbol.dispose]();
    this.#spawns.fail(this.#failure);
    for (const kill of this.#running.values()) kill?.();
    for (const { pid, session } of processesLeft()) {
      if (this.#left.has(session)) signalProcess(pid, Signal.Kill);
    }
  }
}

/**
 * Where Landlock lets signals through to whatever is under the same rules, the thread itself is.
 *
 * @throws {Error} if it cannot be named
 */
function filterFor(
  thread: number | undefined,
  { restrictions: { landlock }, architecture }: GroupPlan,
): Uint8Array | undefined {
  if (landlock === undefined || landlock.governed.scopes === 0) return undefined;
  if (thread === undefined) throw new Error("/proc does not tell what a thread is called");
  return threadFilter(thread, architecture);
}

/**
 * What is left of commands that have ended: orphans, which this program adopts as a subreaper (prctl(2)),
 * and their descendants.
 */
function processesLeft(): { readonly pid: number; readonly session: number }[] {
  const orphans = childrenOfMainThread(Deno.pid).filter((pid) => !ownChildren.has(pid));
  return orphans.flatMap((pid) => [pid, ...descendantsOf(pid)]).flatMap((pid) => {
    const session = processStatus(pid)?.session;
    return session === undefined ? [] : [{ pid, session }];
  });
}
