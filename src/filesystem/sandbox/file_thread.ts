import { internalError, RpcError } from "../../protocol/errors.ts";
import { withoutCapabilities } from "../linux/capabilities.ts";
import type { Answer, FromWorker, Job, ToWorker } from "./job.ts";
import { JobState } from "./job_state.ts";

/** A job that is not done yet. */
interface Waiting {
  readonly settle: (answer: Answer) => void;
  readonly fail: (reason: RpcError) => void;
}

/** What came of a job. */
export type Outcome<R> =
  | { readonly kind: "done"; readonly result: R }
  /** The thread has not turned to it in time, and will not any more. */
  | { readonly kind: "withdrawn" };

/** A thread on which jobs are done. It has no capabilities, like a command in a sandbox. */
export class FileThread implements Disposable {
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #failed: () => void;
  #jobs = 0;
  #lastId = 0;

  /** @param failed told when the thread has, by itself */
  constructor(module: URL, failed: () => void) {
    this.#failed = failed;
    // Those who wait for it are told; there may be none.
    this.#ready.promise.catch(() => {});
    this.#worker = withoutCapabilities(() =>
      new Worker(module, { type: "module", name: "sandboxed files" })
    );
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "ready") this.#ready.resolve();
      else this.#waiting.get(data.id)?.settle(data);
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
   * @param patienceMs how long the thread may take to turn to the job, in milliseconds, once it has
   * been started
   * @throws {RpcError} what the job failed of, -32603 if the thread did
   */
  async run<R>(
    job: Job,
    files: string,
    patienceMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome<R>> {
    this.#jobs++;
    try {
      await this.#ready.promise;
      signal?.throwIfAborted();
      return await this.#post(job, files, patienceMs, signal);
    } finally {
      this.#jobs--;
    }
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  async #post<R>(
    job: Job,
    files: string,
    patienceMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome<R>> {
    const id = ++this.#lastId;
    const state = new JobState();
    // What a result is, is up to the job's method: nothing here can tell.
    const { promise, resolve, reject } = Promise.withResolvers<MessageEvent["data"]>();
    this.#waiting.set(id, { settle: resolve, fail: reject });
    const patience = setTimeout(() => state.withdraw() && resolve(undefined), patienceMs);
    const abort = () => this.#tell({ kind: "abort", id });
    signal?.addEventListener("abort", abort);
    this.#tell({ kind: "job", id, job, files, state: state.shared });
    try {
      const answer = await promise;
      if (answer === undefined) return { kind: "withdrawn" };
      if (answer.kind === "error") throw new RpcError(answer.code, answer.message);
      return { kind: "done", result: answer.result };
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  #fail(message: string): void {
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
