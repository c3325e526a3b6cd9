import { internalError, RpcError } from "../../protocol/errors.ts";
import type { FromWorker, Job, ToWorker } from "./job.ts";

/** How long the worker is kept for the next request, in milliseconds. */
const IDLE_MS = 15_000;

/** Where the worker's module is: beside this one, or where the build puts it. */
const MODULE = import.meta.url.endsWith(".ts")
  ? new URL("./worker.ts", import.meta.url)
  : new URL("./src/filesystem/sandbox/worker.js", import.meta.url);

/** A job that is not done yet. */
interface Waiting {
  readonly settle: (answer: MessageEvent<FromWorker>) => void;
  readonly fail: (reason: RpcError) => void;
}

/**
 * Has jobs done on a thread of its own, which is started for the first of them and ends when there
 * has been nothing to do for a while.
 */
export class FileWorker implements Disposable {
  readonly #idleMs: number;
  readonly #module: URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #idle: number | undefined;
  #lastId = 0;

  /** @param idleMs how long the thread is kept for the next job, in milliseconds */
  constructor(idleMs = IDLE_MS, module = MODULE) {
    this.#idleMs = idleMs;
    this.#module = module;
  }

  /** Whether there is a thread. */
  get running(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Has a job done. The result is what the job's method gives.
   *
   * @param files what is granted, `JobFiles` as JSON
   * @throws {RpcError} what the job failed of, -32603 if the thread did
   */
  async run<R>(job: Job, files: string, signal?: AbortSignal): Promise<R> {
    signal?.throwIfAborted();
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<MessageEvent>();
    this.#waiting.set(id, { settle: resolve, fail: reject });
    const worker = this.#start();
    const abort = () => post(worker, { kind: "abort", id });
    signal?.addEventListener("abort", abort);
    post(worker, { kind: "job", id, job, files });
    try {
      const { data } = await promise;
      if (data.kind === "error") throw new RpcError(data.code, data.message);
      return data.result;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#rest();
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    clearTimeout(this.#idle);
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#module, { type: "module", name: "sandboxed files" });
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      this.#waiting.get(event.data.id)?.settle(event);
    };
    worker.onerror = (event) => {
      // Or the program would end, too.
      event.preventDefault();
      this.#failed(worker, event.message);
    };
    return this.#worker = worker;
  }

  /** Another is started for the next job. */
  #failed(worker: Worker, message: string): void {
    if (this.#worker !== worker) return;
    worker.terminate();
    this.#worker = undefined;
    const reason = internalError(`the thread for sandboxed file requests has failed: ${message}`);
    for (const { fail } of this.#waiting.values()) fail(reason);
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this[Symbol.dispose](), this.#idleMs);
    Deno.unrefTimer(this.#idle);
  }
}

function post(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
