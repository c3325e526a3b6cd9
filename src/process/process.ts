import { invalidRequest } from "../protocol/errors.ts";
import type { ExceededLimit, ProcessSignal, WriteStatus } from "../protocol/process.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import type { Child, ChildCommand, ChildObserver } from "./child.ts";
import type { Deadline } from "./deadline.ts";
import type { TerminalSize } from "../protocol/process.ts";
import { Quota } from "./quota.ts";
import { EventLog, type LogEvent } from "./event_log.ts";

/** Input that a command has not taken yet, in bytes, past which writes are not answered at once. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;
/** The same, past which writes are refused: a client must not fill the executor's memory. */
const REFUSED_UNWRITTEN_BYTES = 128 * 1024 * 1024;
/** How long output may arrive after the exit before it is settled whether something was denied. */
const DENIAL_GRACE_MS = 20;
/** How many of a process's newest write ids are remembered, for writes repeated by a client. */
const REMEMBERED_WRITES = 1024;

/** What decided how a process ended; the first to come does. */
export type ProcessOutcome = "exited" | "terminated" | "shutdown";

/** Starts the operating system's process; so that tests can stand in for it. */
export type ChildStarter = (command: ChildCommand, observer: ChildObserver) => Promise<Child>;

/** Told of everything that happens to a process, in order. */
export type ProcessObserver = (event: LogEvent) => void;

/** What a process may have besides its command; each is missing where it has a limit of its own. */
export interface ProcessOptions {
  /** What all processes that share it may have waiting. @default its own */
  readonly inputBytes?: Quota | undefined;
  /** Ends it when its time is up. It is the process's from then on. @default nothing does */
  readonly deadline?: Deadline | undefined;
}

/** How a command has ended. */
interface Exit {
  readonly exitCode: number;
  /** What it had too much of. */
  readonly limit: ExceededLimit | undefined;
}

/** A command being run, from its start until its last output has been read, and after that. */
export class Process {
  readonly log: EventLog;
  readonly #observer: ProcessObserver;
  readonly #inputBytes: Quota;
  readonly #deadline: Deadline | undefined;
  /** Whether it runs on a pseudo-terminal. */
  readonly onTerminal: boolean;
  readonly #hasStdin: boolean;
  readonly #startedAt = performance.now();
  readonly #writes = new Map<string, Promise<WriteStatus>>();
  #child: Child | undefined;
  #outcome: ProcessOutcome | undefined;
  #unwrittenBytes = 0;
  #paused = false;
  /** The exit while it is not told yet. */
  #unsettledExit: Exit & { readonly timer: number } | undefined;

  private constructor(
    command: ChildCommand,
    log: EventLog,
    observer: ProcessObserver,
    { inputBytes = new Quota(REFUSED_UNWRITTEN_BYTES), deadline }: ProcessOptions,
  ) {
    this.#inputBytes = inputBytes;
    this.#deadline = deadline;
    this.log = log;
    this.#observer = observer;
    this.onTerminal = command.stdio.kind === "pty";
    this.#hasStdin = command.stdio.kind === "pty" || command.stdio.stdin === "pipe";
  }

  /**
   * Starts a command. The process is handed out before the first event is told.
   *
   * @throws {StartError} when the operating system refuses
   */
  static async start(
    command: ChildCommand,
    start: ChildStarter,
    log: EventLog,
    observer: ProcessObserver,
    options: ProcessOptions = {},
  ): Promise<Process> {
    const process = new Process(command, log, observer, options);
    try {
      const child = process.#child = await start(command, {
        output: (stream, bytes) => observer(log.appendOutput(stream, bytes)),
        exited: (exitCode, limit) => process.#exited(exitCode, limit),
        ended: () => {
          process.#settleExit();
          observer(log.appendClosed());
        },
      });
      options.deadline?.started(child);
      return process;
    } catch (error) {
      options.deadline?.[Symbol.dispose]();
      throw error;
    }
  }

  /** The operating system's id of the process. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What sandboxes the process. */
  get sandboxType(): SandboxType {
    return this.#child?.sandbox?.sandboxType ?? "none";
  }

  /** How long it has been there, in seconds. */
  get age(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  get running(): boolean {
    return !this.log.exited;
  }

  /** What decided how the process ended, or undefined while it runs on unhindered. */
  get outcome(): ProcessOutcome | undefined {
    return this.#outcome;
  }

  /**
   * Gives the process input, in the order of the calls. A write id that was accepted before writes
   * nothing and is accepted again.
   *
   * @throws {RpcError} -32600 when far more is waiting than the process reads
   */
  write(bytes: Uint8Array<ArrayBuffer>, writeId: string): Promise<WriteStatus> {
    const earlier = this.#writes.get(writeId);
    if (earlier !== undefined) return earlier;
    if (!this.#hasStdin || !this.running) return Promise.resolve("stdinClosed");
    if (this.#unwrittenBytes + bytes.length > REFUSED_UNWRITTEN_BYTES) {
      throw invalidRequest(
        `more than ${REFUSED_UNWRITTEN_BYTES} bytes of input wait for the process to read them`,
      );
    }
    if (!this.#inputBytes.take(bytes.length)) {
      throw invalidRequest(
        "more input waits for processes to read it than memory allows (--memory-budget)",
      );
    }
    const status = this.#write(bytes);
    this.#remember(writeId, status);
    return status;
  }

  /** Ends the process's input, behind what was written before. */
  closeInput(): void {
    if (this.running) this.#child?.closeInput();
  }

  /** Sends a signal to the process group. Nothing happens once the process has ended. */
  signal(signal: ProcessSignal): void {
    if (!this.running) return;
    switch (signal) {
      case "interrupt":
        return this.#child?.interrupt();
      case "terminate":
        this.#child?.requestEnd();
        return;
      case "hangup":
        return this.#child?.hangUp();
    }
  }

  /** Kills the process with its group. Returns whether it was running. */
  terminate(): boolean {
    if (!this.running) return false;
    this.end("terminated");
    return true;
  }

  /** Kills the process for a reason that is recorded if no other came first. */
  end(outcome: ProcessOutcome): void {
    if (!this.running) return;
    this.#outcome ??= outcome;
    this.#child?.kill();
  }

  /** Asks the process group to end, as a system that shuts down does (SIGTERM). */
  requestEnd(): void {
    if (!this.running) return;
    this.#outcome ??= "shutdown";
    this.#child?.requestEnd();
  }

  resize(size: TerminalSize): void {
    if (this.running) this.#child?.resize(size);
  }

  /** Leaves output with the process: when its pipe is full it waits. */
  pause(): void {
    this.#paused = true;
    this.#child?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#child?.resume();
  }

  /** Stops listening; nothing is told any more. */
  abandon(): void {
    this.#deadline?.[Symbol.dispose]();
    clearTimeout(this.#unsettledExit?.timer);
    this.#child?.abandon();
  }

  /**
   * Tells the exit, with whether it came of a denial. As long as that does not show and descendants
   * may still say so, it waits for them a little.
   */
  #exited(exitCode: number, limit: ExceededLimit | undefined): void {
    this.#deadline?.exited();
    this.#outcome ??= "exited";
    const settled = exitCode === 0 || this.#child?.sandbox === undefined;
    const denied = !settled && this.#isDenial(exitCode);
    if (settled || denied) return this.#tellExit({ exitCode, limit }, denied);
    const timer = setTimeout(() => this.#settleExit(), DENIAL_GRACE_MS);
    this.#unsettledExit = { exitCode, limit, timer };
  }

  #settleExit(): void {
    if (this.#unsettledExit === undefined) return;
    const { exitCode, limit, timer } = this.#unsettledExit;
    clearTimeout(timer);
    this.#unsettledExit = undefined;
    this.#tellExit({ exitCode, limit }, this.#isDenial(exitCode));
  }

  #isDenial(exitCode: number): boolean {
    return this.#child?.sandbox?.isDenial(exitCode, this.log.retainedText()) ?? false;
  }

  #tellExit({ exitCode, limit }: Exit, denied: boolean): void {
    const details = {
      limitExceeded: limit,
      network: this.#child?.sandbox?.network,
      timedOut: this.#deadline?.reached ?? false,
    };
    this.#observer(this.log.appendExited(exitCode, denied, details));
  }

  /** Answers once the system has the bytes, or at once while no more than the limit are waiting. */
  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus> {
    if (this.#child === undefined) {
      this.#inputBytes.give(bytes.length);
      return "starting";
    }
    this.#unwrittenBytes += bytes.length;
    const written = this.#child.write(bytes);
    written.finally(() => {
      this.#unwrittenBytes -= bytes.length;
      this.#inputBytes.give(bytes.length);
    });
    const outcome = this.#unwrittenBytes > MAX_UNWRITTEN_BYTES
      ? await written
      : await Promise.race([written, Promise.resolve("queued" as const)]);
    return outcome === "closed" ? "stdinClosed" : "accepted";
  }

  #remember(writeId: string, status: Promise<WriteStatus>): void {
    this.#writes.set(writeId, status);
    status.then((answer) => answer !== "accepted" && this.#writes.delete(writeId));
    if (this.#writes.size <= REMEMBERED_WRITES) return;
    const oldest = this.#writes.keys().next();
    if (!oldest.done) this.#writes.delete(oldest.value);
  }
}
