import { SupervisorThreads } from "../supervisor/supervisor.ts";
import { WorkerThread } from "../worker_thread.ts";
import type { FromSpawner, ToSpawner } from "./messages.ts";

/** Where the thread's module is: beside this one, or where the build puts it. */
const MODULE = import.meta.url.endsWith(".ts")
  ? new URL("./worker.ts", import.meta.url)
  : new URL("./src/sandbox/restricted_threads/worker.js", import.meta.url);

/**
 * Threads for whatever plan comes next. Each is made when it is first needed, for that holds this
 * thread up, unless it has been made ahead.
 */
export class SpareThreads implements Disposable {
  readonly #needsPerformer: boolean;
  #spawner: WorkerThread<ToSpawner, FromSpawner> | undefined;
  #supervisor: SupervisorThreads | undefined;
  #taken = false;

  /** @param needsPerformer whether another thread than the one that decides about calls makes them */
  constructor(needsPerformer = true) {
    this.#needsPerformer = needsPerformer;
  }

  get spawner(): WorkerThread<ToSpawner, FromSpawner> {
    return this.#spawner ??= new WorkerThread(MODULE, "sandboxed commands");
  }

  get supervisor(): SupervisorThreads {
    return this.#supervisor ??= new SupervisorThreads();
  }

  /** Whether one of the threads has failed. */
  get failed(): boolean {
    return this.#spawner?.failed || this.#supervisor?.failed || false;
  }

  /** Makes them ahead, one after the other, so that others get their turns in between. */
  async makeAhead(): Promise<void> {
    const makers = [
      () => this.spawner.ready,
      () => this.supervisor.decider.ready,
      ...this.#needsPerformer ? [() => this.supervisor.performer.ready] : [],
    ];
    for (const make of makers) {
      if (this.#taken) return;
      await make();
    }
  }

  /** Makes no more ahead, for somebody has taken them, who asks for those that are needed. */
  take(): void {
    this.#taken = true;
  }

  /** Ends those of a supervisor, for there is nothing to supervise. */
  endSupervisor(): void {
    this.#taken = true;
    this.#supervisor?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.endSupervisor();
    this.#spawner?.[Symbol.dispose]();
  }
}
