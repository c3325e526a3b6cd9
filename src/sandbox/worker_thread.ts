import { requireRoomForWorker } from "../os/thread_limit.ts";
import { threadBegins } from "../os/thread_starts.ts";

/** What a thread tells besides its answers. */
interface ReadyMessage {
  readonly kind: "ready";
  /** What the kernel calls the thread, if it says so. */
  readonly thread?: number | undefined;
}

/** A thread that runs a module of its own, which says when it can be told what to do. */
export class WorkerThread<To, From extends { readonly kind: string }> implements Disposable {
  /** When the thread can be told what to do; rejected when it fails before. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #beginning: Disposable;
  readonly #listeners = new Set<(message: From) => void>();
  #number: number | undefined;
  #failure: Error | undefined;
  #failed: ((reason: Error) => void)[] = [];

  /** @throws {SystemError} EAGAIN where there can be no more threads */
  constructor(module: URL, name: string) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    // Those who wait for it are told; there may be none.
    promise.catch(() => {});
    this.onFailure(reject);
    requireRoomForWorker();
    this.#beginning = threadBegins();
    this.#worker = new Worker(module, { type: "module", name });
    this.#worker.onmessage = ({ data }: MessageEvent<From | ReadyMessage>) => {
      if (isReady(data)) {
        this.#number = data.thread;
        this.#beginning[Symbol.dispose]();
        return resolve();
      }
      for (const listener of this.#listeners) listener(data);
    };
    this.#worker.onerror = (event) => {
      // Or the program would end, too.
      event.preventDefault();
      this.#fail(new Error(event.message));
    };
  }

  /** What the kernel calls the thread, if it has said so when it was ready. */
  get number(): number | undefined {
    return this.#number;
  }

  /** Whether the thread has failed. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Calls back once when the thread has failed, at once if it has already. */
  onFailure(callback: (reason: Error) => void): void {
    if (this.#failure === undefined) this.#failed.push(callback);
    else callback(this.#failure);
  }

  /** Tells whatever the thread says from now on. */
  onMessage(listener: (message: From) => void): void {
    this.#listeners.add(listener);
  }

  /** Waits for a message of one kind. @throws {Error} if the thread fails before */
  next<K extends From["kind"]>(kind: K): Promise<Extract<From, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const listener = (message: From) => {
        if (!isKind(message, kind)) return;
        this.#listeners.delete(listener);
        resolve(message);
      };
      this.#listeners.add(listener);
      this.onFailure(reject);
    });
  }

  tell(message: To): void {
    this.#worker.postMessage(message);
  }

  /** Ends the thread as soon as it is not held up. */
  [Symbol.dispose](): void {
    this.#beginning[Symbol.dispose]();
    this.#worker.terminate();
  }

  #fail(reason: Error): void {
    this.#failure = reason;
    this[Symbol.dispose]();
    for (const callback of this.#failed.splice(0)) callback(reason);
  }
}

function isReady(message: { readonly kind: string }): message is ReadyMessage {
  return message.kind === "ready";
}

function isKind<From extends { readonly kind: string }, K extends From["kind"]>(
  message: From,
  kind: K,
): message is Extract<From, { kind: K }> {
  return message.kind === kind;
}
