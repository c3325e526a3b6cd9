import { logSeldom } from "../log/log.ts";
import type { Process } from "../process/process.ts";
import type { Quota } from "../process/quota.ts";
import { internalError, invalidRequest } from "../protocol/errors.ts";
import type { ClosedProcesses, Memory } from "./closed_processes.ts";

/** A process that is being started. */
interface Starting {
  /** Gives undefined if the start fails. */
  readonly process: Promise<Process | undefined>;
  readonly hurry: AbortController;
}

/**
 * The processes of a session by the names that its client has given them: those that are being
 * started, that run, and that are remembered for a while after they have closed.
 */
export class SessionProcesses {
  readonly #slots: Quota;
  readonly #closed: ClosedProcesses;
  readonly #processes = new Map<string, Process>();
  readonly #starting = new Map<string, Starting>();
  readonly #memories = new Set<Memory>();
  /** The names of processes that occupy a slot. */
  readonly #slotHolders = new Set<string>();

  /**
   * @param slots the processes that all sessions together may run
   * @param closed remembers closed processes
   */
  constructor(slots: Quota, closed: ClosedProcesses) {
    this.#slots = slots;
    this.#closed = closed;
  }

  /** Whether there is none, none that has ended either. */
  get empty(): boolean {
    return this.#processes.size + this.#starting.size === 0;
  }

  /** Those that have been started, the remembered included. */
  all(): Process[] {
    return [...this.#processes.values()];
  }

  /** The process of that name, or undefined; a promise while it is being started. */
  find(processId: string): Process | Promise<Process | undefined> | undefined {
    return this.#processes.get(processId) ?? this.#starting.get(processId)?.process;
  }

  /**
   * Has a process started under a name, which is free again if that fails.
   *
   * @param hurry aborted when the process must come at once
   * @throws {RpcError} -32600 when the name is taken, -32603 when too many processes run
   * @throws whatever the start does
   */
  async start(
    processId: string,
    hurry: AbortController,
    launch: () => Promise<Process>,
  ): Promise<Process> {
    if (this.find(processId) !== undefined) {
      throw invalidRequest(`process ${processId} already exists`);
    }
    this.#takeSlot(processId);
    const started = launch();
    this.#starting.set(processId, { process: started.catch(() => undefined), hurry });
    try {
      return await started;
    } catch (error) {
      this.giveSlot(processId);
      throw error;
    } finally {
      this.#starting.delete(processId);
    }
  }

  /** A process that is being started must come at once, without what could be done before. */
  hurry(processId: string): void {
    this.#starting.get(processId)?.hurry.abort();
  }

  /** A process has been started. */
  add(processId: string, process: Process): void {
    this.#processes.set(processId, process);
  }

  /** A process takes none of those that may run any more. Once is enough. */
  giveSlot(processId: string): void {
    if (this.#slotHolders.delete(processId)) this.#slots.give();
  }

  /**
   * A process has closed: it is remembered for a while.
   *
   * @param options whether that is until there are too many or the session ends, and whether a client
   * is there that has been told
   */
  closed(
    processId: string,
    options: { readonly withoutEnd: boolean; readonly told: boolean },
  ): void {
    const memory = this.#closed.remember(() => {
      this.#memories.delete(memory);
      this.#processes.get(processId)?.log.clear();
      this.#processes.delete(processId);
    }, { withoutEnd: options.withoutEnd });
    this.#memories.add(memory);
    if (options.told) memory.startForgetting();
  }

  /** A client is there, and learns how they ended. */
  startForgetting(): void {
    for (const memory of this.#memories) memory.startForgetting();
  }

  /** Nobody is there to learn how they ended. */
  stopForgetting(): void {
    for (const memory of this.#memories) memory.stopForgetting();
  }

  /**
   * Forgets all of them.
   *
   * @param leave called for each before
   */
  clear(leave: (processId: string, left: Process) => void): void {
    for (const memory of this.#memories) this.#closed.forget(memory);
    for (const [processId, process] of this.#processes) {
      leave(processId, process);
      process.log.clear();
    }
    this.#processes.clear();
    for (const processId of this.#slotHolders) this.giveSlot(processId);
  }

  #takeSlot(processId: string): void {
    if (!this.#slots.take()) {
      const { limit } = this.#slots;
      logSeldom("warn", "start refused: too many processes", { limit });
      throw internalError(
        `${limit} processes are running on this executor already (--max-processes)`,
      );
    }
    this.#slotHolders.add(processId);
  }
}
