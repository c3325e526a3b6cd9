import { isRecord, type Message } from "../../support/inbox.ts";

/** All that a process has told, over however many connections. */
class ProcessAccount {
  readonly #outputs = new Map<number, string>();
  readonly #closed = Promise.withResolvers<void>();
  #exitedSeq: number | undefined;
  #lastSeq = 0;
  /** Events that came on a new connection before what was missed on the way. */
  #held: { readonly method: unknown; readonly params: Message }[] | undefined;
  exitCode: unknown;
  isClosed = false;

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Settles with the last event. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get output(): string {
    const decoder = new TextDecoder();
    return [...this.#outputs].sort(([one], [other]) => one - other)
      .map(([, chunk]) => decoder.decode(Uint8Array.fromBase64(chunk), { stream: true })).join("");
  }

  /** From now on events may be missing, until what was missed is caught up with. */
  interrupt(): void {
    if (!this.isClosed) this.#held ??= [];
  }

  /** Enters a pushed event, which must be the next one. @throws {Error} when it is another */
  enter(method: unknown, params: Message): void {
    if (this.#held !== undefined) {
      this.#held.push({ method, params });
      return;
    }
    const seq = Number(params.seq);
    if (seq !== this.#lastSeq + 1) throw new Error(`event ${seq} after ${this.#lastSeq}`);
    if (this.isClosed) throw new Error(`${method} after the end`);
    this.#lastSeq = seq;
    if (method === "process/output") this.#outputs.set(seq, String(params.chunk));
    if (method === "process/exited") this.#exit(seq, params.exitCode);
    if (method === "process/closed") this.#close();
  }

  /** Enters what was told while nobody was connected: the answer to a read of the rest. */
  catchUp({ chunks, nextSeq, exited, exitCode, closed }: Message): void {
    if (!Array.isArray(chunks)) throw new Error("a read without chunks");
    for (const { seq, chunk } of chunks) {
      if (seq <= this.#lastSeq) throw new Error(`chunk ${seq} was not asked for`);
      this.#outputs.set(seq, chunk);
    }
    this.#lastSeq = Number(nextSeq) - 1;
    if (exited === true) this.#exitedSeq ??= -1;
    this.exitCode ??= exitCode ?? undefined;
    if (closed === true) this.#close();
    const held = this.#held?.filter(({ params }) => Number(params.seq) > this.#lastSeq) ?? [];
    this.#held = undefined;
    for (const { method, params } of held) this.enter(method, params);
  }

  #exit(seq: number, exitCode: unknown): void {
    if (this.#exitedSeq !== undefined) throw new Error("it exited twice");
    this.#exitedSeq = seq;
    this.exitCode = exitCode;
  }

  /** The numbers have no gaps: all that is not output is the exit and the end. */
  #close(): void {
    if (this.#exitedSeq === undefined) throw new Error("it was closed without an exit");
    if (this.#outputs.size + 2 !== this.#lastSeq) {
      throw new Error(`${this.#outputs.size} outputs among ${this.#lastSeq} events`);
    }
    this.isClosed = true;
    this.#closed.resolve();
  }
}

/** Books the events of a session's processes, and which of them broke a rule. */
export class Ledger {
  readonly #accounts = new Map<string, ProcessAccount>();
  /** What should not have happened, in words. */
  readonly violations: string[] = [];

  account(processId: string): ProcessAccount {
    const account = this.#accounts.get(processId) ?? new ProcessAccount();
    this.#accounts.set(processId, account);
    return account;
  }

  /** Forgets a process, whose id may then be used again. */
  forget(processId: string): void {
    this.#accounts.delete(processId);
  }

  /** Those whose end has not been told. */
  get open(): readonly string[] {
    return [...this.#accounts].filter(([, { isClosed }]) => !isClosed).map(([id]) => id);
  }

  /** The connection is gone, and events with it. */
  interrupt(): void {
    for (const account of this.#accounts.values()) account.interrupt();
  }

  /** Enters a notification. */
  enter({ method, params }: Message): void {
    if (!isRecord(params) || typeof params.processId !== "string") {
      this.violations.push(`no event: ${method}`);
      return;
    }
    this.#book(params.processId, (account) => account.enter(method, params));
  }

  /** Enters the answer to a `process/read` of all that follows the last event. */
  catchUp(processId: string, answer: Message): void {
    this.#book(processId, (account) => account.catchUp(answer));
  }

  #book(processId: string, enter: (account: ProcessAccount) => void): void {
    try {
      enter(this.account(processId));
    } catch (error) {
      this.violations.push(`${processId}: ${error instanceof Error ? error.message : error}`);
    }
  }
}
