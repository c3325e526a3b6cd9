import { withoutCapabilities } from "../../os/capabilities.ts";
import { requireRoomForWorker } from "../../os/thread_limit.ts";
import { threadBegins } from "../../os/thread_starts.ts";
import { internalError, RpcError } from "../../protocol/errors.ts";
import { type Answer, type FromWorker, type Job, JobState, type ToWorker } from "./job.ts";

/** Where the thread's module is: beside this one, or where the build puts it. */
const MODULE = import.meta.url.endsWith(".ts")
  ? new URL("./worker.ts", import.meta.url)
  : new URL("./src/filesystem/access/worker.js", import.meta.url);

/** So many threads may be held up by file systems that do not answer. */
const MAX_HELD_UP = 8;

/** How many times within its patience a thread's progress is looked at. */
const LOOKS = 4;

/** What is done unless told otherwise. */
const DEFAULTS = {
  /** How long a thread is kept for the next job, in milliseconds. */
  idleMs: 15_000,
  /** How long a thread may turn to no job and end none before others get them, in milliseconds. */
  patienceMs: 1_000,
  /** What the thread runs. */
  module: MODULE,
};

/**
 * Has jobs done on a thread of its own, which is started for the first of them and ends when there
 * has been nothing to do for a while.
 *
 * A file system that does not answer holds a thread up in the middle of a job. The jobs behind that
 * one then go to another thread; the one held up ends with its own.
 */
export class FileWorker implements Disposable {
  readonly #options: typeof DEFAULTS;
  readonly #heldUp = new Set<FileThread>();
  #thread: FileThread | undefined;
  #idle: number | undefined;

  constructor(options: Partial<typeof DEFAULTS> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** How many threads there are. */
  get threads(): number {
    return this.#heldUp.size + (this.#thread === undefined ? 0 : 1);
  }

  /**
   * Has a job done. The result is what the job's method gives.
   *
   * @param files what is granted, `JobFiles` as JSON
   * @throws {RpcError} what the job failed of; -32603 if the thread did, or too many are held up
   */
  async run<R>(job: Job, files: string, signal?: AbortSignal): Promise<R> {
    for (;;) {
      signal?.throwIfAborted();
      const thread = this.#take();
      try {
        const outcome = await thread.run<R>(job, files, signal);
        if (outcome.kind === "done") return outcome.result;
      } finally {
        this.#rest(thread);
      }
      this.#setAside(thread);
    }
  }

  [Symbol.dispose](): void {
    this.#endThread();
    for (const thread of this.#heldUp) thread[Symbol.dispose]();
    this.#heldUp.clear();
  }

  /** @throws {RpcError} -32603 */
  #take(): FileThread {
    clearTimeout(this.#idle);
    if (this.#thread !== undefined) return this.#thread;
    if (this.#heldUp.size >= MAX_HELD_UP) {
      throw internalError(
        `${MAX_HELD_UP} sandboxed file requests wait for file systems that do not answer`,
      );
    }
    try {
      requireRoomForWorker();
      const { module, patienceMs } = this.#options;
      const thread = new FileThread(module, patienceMs, () => this.#forget(thread));
      return this.#thread = thread;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw internalError(`the thread for sandboxed file requests cannot be started: ${reason}`);
    }
  }

  #setAside(thread: FileThread): void {
    // It may have gone on just now.
    if (thread !== this.#thread || thread.idle) return;
    this.#thread = undefined;
    this.#heldUp.add(thread);
  }

  #rest(thread: FileThread): void {
    if (!thread.idle) return;
    if (this.#heldUp.delete(thread)) thread[Symbol.dispose]();
    if (thread !== this.#thread) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#endThread(), this.#options.idleMs);
    Deno.unrefTimer(this.#idle);
  }

  #endThread(): void {
    clearTimeout(this.#idle);
    this.#thread?.[Symbol.dispose]();
    this.#thread = undefined;
  }

  /** Another is started for the next job. */
  #forget(thread: FileThread): void {
    this.#heldUp.delete(thread);
    if (thread === this.#thread) this.#thread = undefined;
  }
}

/** A job that is not done yet. */
interface Waiting {
  readonly state: JobState;
  readonly settle: (answer: Answer) => void;
  readonly withdraw: () => void;
  readonly fail: (reason: RpcError) => void;
}

/** What came of a job. */
type Outcome<R> =
  | { readonly kind: "done"; readonly result: R }
  /** The thread is held up and has not turned to it, and will not any more. */
  | { readonly kind: "withdrawn" };

/** A thread on which jobs are done. It has no capabilities, like a command in a sandbox. */
class FileThread implements Disposable {
  readonly #worker: Worker;
  readonly #beginning: Disposable;
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #patienceMs: number;
  readonly #failed: () => void;
  #jobs = 0;
  #lastId = 0;
  #answered = 0;
  #watch: number | undefined;

  /**
   * @param patienceMs after how long without progress it counts as held up, in milliseconds
   * @param failed told when the thread has, by itself
   */
  constructor(module: URL, patienceMs: number, failed: () => void) {
    this.#patienceMs = patienceMs;
    this.#failed = failed;
    // Those who wait for it are told; there may be none.
    this.#ready.promise.catch(() => {});
    this.#beginning = threadBegins();
    this.#worker = withoutCapabilities(() =>
      new Worker(module, { type: "module", name: "sandboxed files" })
    );
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind !== "ready") return this.#settle(data);
      this.#beginning[Symbol.dispose]();
      this.#ready.resolve();
    };
    this.#worker.onerror = (event) => {
      // Or the program would end, too.
      event.preventDefault();
      this.#fail(event.message);
    };
  }

  /** Whether there is nothing to be done. */
  get idle(): boolean {
    return this.#jobs === 0;
  }

  /**
   * Has a job done. The result is what the job's method gives.
   *
   * @param files what is granted, `JobFiles` as JSON
   * @throws {RpcError} what the job failed of, -32603 if the thread did
   */
  async run<R>(job: Job, files: string, signal?: AbortSignal): Promise<Outcome<R>> {
    this.#jobs++;
    try {
      await this.#ready.promise;
      signal?.throwIfAborted();
      return await this.#post(job, files, signal);
    } finally {
      this.#jobs--;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watch);
    this.#beginning[Symbol.dispose]();
    this.#worker.terminate();
  }

  async #post<R>(job: Job, files: string, signal?: AbortSignal): Promise<Outcome<R>> {
    const id = ++this.#lastId;
    const state = new JobState();
    // What a result is, is up to the job's method: nothing here can tell.
    const { promise, resolve, reject } = Promise.withResolvers<MessageEvent["data"]>();
    const withdraw = () => state.withdraw() && resolve(undefined);
    this.#waiting.set(id, { state, settle: resolve, withdraw, fail: reject });
    this.#watch ??= this.#watchProgress();
    const abort = () => this.#tell({ kind: "abort", id });
    signal?.addEventListener("abort", abort);
    this.#tell({ kind: "job", id, job, files, state: state.shared });
    try {
      const answer = await promise;
      if (answer === undefined) return { kind: "withdrawn" };
      if (answer.kind === "error") throw new RpcError(answer.code, answer.message);
      return { kind: "done", result: answer.result };
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) {
        clearInterval(this.#watch);
        this.#watch = undefined;
      }
    }
  }

  #settle(answer: Answer): void {
    this.#answered++;
    this.#waiting.get(answer.id)?.settle(answer);
  }

  /** Withdraws what the thread has not turned to when it is held up. */
  #watchProgress(): number {
    let progress = this.#progress();
    let stillMs = 0;
    return setInterval(() => {
      const before = progress;
      progress = this.#progress();
      stillMs = progress === before ? stillMs + this.#patienceMs / LOOKS : 0;
      if (stillMs < this.#patienceMs) return;
      for (const { withdraw } of this.#waiting.values()) withdraw();
    }, this.#patienceMs / LOOKS);
  }

  /** Grows with each job that is begun, and with each that is done. */
  #progress(): number {
    const begun = [...this.#waiting.values()].filter(({ state }) => state.begun).length;
    return begun + 2 * this.#answered;
  }

  #fail(message: string): void {
    this.#beginning[Symbol.dispose]();
    this.#worker.terminate();
    this.#failed();
    const why = internalError(`the thread for sandboxed file requests has failed: ${message}`);
    this.#ready.reject(why);
    for (const { fail } of this.#waiting.values()) fail(why);
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}
