import { internalError, RpcError } from "../../protocol/errors.ts";
import { withoutCapabilities } from "../linux/capabilities.ts";
import { type FromWorker, type Job, JobState, type ToWorker } from "./job.ts";

/** A job that is not done yet. */
interface Waiting {
  readonly settle: (answer: MessageEvent<FromWorker>) => void;
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
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** @param failed told when the thread has, by itself */
  constructor(module: URL, failed: () => void) {
    this.#worker = withoutCapabilities(() =>
      new Worker(module, { type: "module", name: "sandboxed files" })
    );
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => {
      this.#waiting.get(event.data.id)?.settle(event);
    };
    this.#worker.onerror = (event) => {
      // Or the program would end, too.
      event.preventDefault();
      this.#worker.terminate();
      failed();
      const why = `the thread for sandboxed file requests has failed: ${event.message}`;
      for (const { fail } of this.#waiting.values()) fail(internalError(why));
    };
  }

  /** Whether there is nothing to be done. */
  get idle(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Has a job done. The result is what the job's method gives.
   *
   * @param files what is granted, `JobFiles` as JSON
   * @param patienceMs how long the thread may take to turn to the job, in milliseconds
   * @throws {RpcError} what the job failed of, -32603 if the thread did
   */
  async run<R>(
    job: Job,
    files: string,
    patienceMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome<R>> {
    const id = ++this.#lastId;
    const state = new JobState();
    const { promise, resolve, reject } = Promise.withResolvers<MessageEvent | undefined>();
    this.#waiting.set(id, { settle: resolve, fail: reject });
    const patience = setTimeout(() => state.withdraw() && resolve(undefined), patienceMs);
    const abort = () => this.#post({ kind: "abort", id });
    signal?.addEventListener("abort", abort);
    this.#post({ kind: "job", id, job, files, state: state.shared });
    try {
      const answer = await promise;
      if (answer === undefined) return { kind: "withdrawn" };
      const { data } = answer;
      if (data.kind === "error") throw new RpcError(data.code, data.message);
      return { kind: "done", result: data.result };
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}
