import { log } from "../log/log.ts";
import { capture, type CaptureLimits } from "../process/capture.ts";
import type { ChildCommand } from "../process/child.ts";
import { Deadline, type TimeLimit } from "../process/deadline.ts";
import { EventLog, type ExitedEvent, type LogEvent } from "../process/event_log.ts";
import { type ChildStarter, Process } from "../process/process.ts";
import type { ProcessKeeper } from "../process/process_keeper.ts";
import type { Quota } from "../process/quota.ts";
import type { RetentionPool } from "../process/retention_pool.ts";
import { ShellSnapshots } from "../process/shell_snapshot.ts";
import type { Spool, SpoolDirectory } from "../process/spool.ts";
import { encodeNotification } from "../protocol/envelope.ts";
import { invalidRequest } from "../protocol/errors.ts";
import type { SandboxContext } from "../protocol/sandbox.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { CloseReason, TransportKind } from "../transport/transport.ts";
import type { AuditLog, SessionTrail } from "./audit_log.ts";
import { NetworkQuestions } from "./network_questions.ts";
import type { ClosedProcesses } from "./closed_processes.ts";
import { encodeProcessEvent } from "./process_notification.ts";
import { SessionProcesses } from "./session_processes.ts";

/** Where the notifications of a session go: the connection of its client. */
export interface NotificationSink {
  send(notification: string): void;
  /** Whether so much is unsent that processes should wait. */
  readonly saturated: boolean;
  /** Ends the connection. */
  close(reason: CloseReason): void;
  readonly kind?: TransportKind;
  /** The client's address; missing where it has none. */
  readonly peer?: string | undefined;
  /** Whom the client's token names; missing where it names nobody. */
  readonly subject?: string | undefined;
}

/** What the executor gives each session. */
export interface SessionOptions {
  readonly startChild: ChildStarter;
  readonly keeper: ProcessKeeper;
  /** Has what is started kept within limits. @default within none */
  readonly limited?: ((start: ChildStarter) => ChildStarter) | undefined;
  /** Output retained per process, in bytes. */
  readonly retainedBytes: number;
  /** Limits what all processes together retain. */
  readonly retentionPool: RetentionPool;
  /** Where output is kept on disk for clients that ask for it. @default nowhere */
  readonly spoolDirectory?: SpoolDirectory | undefined;
  /** Remembers closed processes. */
  readonly closedProcesses: ClosedProcesses;
  /** Bytes of input that may wait for all processes together. @default a limit for each process */
  readonly inputBytes?: Quota;
  /** The processes that all sessions together may run. */
  readonly processSlots: Quota;
  readonly telemetry: Telemetry;
  /** Takes down starts and ends. @default nothing does */
  readonly audit?: AuditLog | undefined;
}

/** How a session is kept for its client. */
export interface Retention {
  /** Whether the client of the connection that it has now will not come back. */
  readonly endsWithConnection: boolean;
  /**
   * How long it waits for its client while it has processes, in milliseconds. Undefined unless a
   * client has asked for a time.
   */
  readonly waitsMs: number | undefined;
  /** Whether output of processes that are started from now on is kept on disk. */
  readonly onDisk: boolean;
}

/** How a process is started, and how long it may take. */
export interface StartOptions {
  /**
   * Makes what starts it. The signal is aborted when the process itself must come at once, without
   * what could be done before. @default the session's usual means
   */
  readonly starter?: ((hurry: AbortSignal) => ChildStarter) | undefined;
  /** What the client asked for, to be taken down. */
  readonly sandbox?: SandboxContext | undefined;
  /** @default as long as it wants */
  readonly timeLimit?: TimeLimit | undefined;
}

/** One client's processes, which outlive its connections. */
export class Session {
  readonly id: string = crypto.randomUUID();
  /** What its shells' startup files did. */
  readonly shells: ShellSnapshots = new ShellSnapshots();
  readonly #options: SessionOptions;
  readonly #processes: SessionProcesses;
  readonly #trail: SessionTrail | undefined;
  /** Asks the client about its commands' network. */
  readonly questions: NetworkQuestions = new NetworkQuestions((message) => this.notify(message));
  readonly #captures = new AbortController();
  #retention: Retention = { endsWithConnection: false, waitsMs: undefined, onDisk: false };
  #sink: NotificationSink | undefined;
  #paused = false;
  #state: "open" | "ending" | "ended" = "open";

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#processes = new SessionProcesses(options.processSlots, options.closedProcesses);
    this.#trail = options.audit?.ofSession(this.id);
  }

  get retention(): Retention {
    return this.#retention;
  }

  /** Changes how it is kept from now on. */
  retain(change: Partial<Retention>): void {
    this.#retention = { ...this.#retention, ...change };
  }

  get attached(): boolean {
    return this.#sink !== undefined;
  }

  /** How many of its processes have not exited. */
  get runningProcesses(): number {
    return this.#processes.all().filter((process) => process.running).length;
  }

  /** Whether some process has not told all that there is to tell. */
  get hasNews(): boolean {
    return this.#processes.all().some(({ log }) => !log.closed);
  }

  /** Whether it has no process, none that has ended either. */
  get empty(): boolean {
    return this.#processes.empty;
  }

  /** Sends notifications to this sink from now on. What another client said of itself is over. */
  attach(sink: NotificationSink): void {
    this.#sink = sink;
    this.retain({ endsWithConnection: false });
    this.#trail?.attached(sink);
    this.#processes.startForgetting();
  }

  /** The same, and tells the client that it is sent to now, whose connection ends. */
  takeOver(sink: NotificationSink): void {
    const before = this.#sink;
    if (before !== undefined) this.detach(before);
    this.attach(sink);
    before?.send(encodeNotification("session/takenOver", { sessionId: this.id }));
    before?.close({ kind: "shutdown", message: "another client has the session now" });
  }

  /** Tells the client something that it need not know if it is not there. Returns whether it is. */
  notify(message: string): boolean {
    this.#sink?.send(message);
    return this.#sink !== undefined;
  }

  /** Stops sending to this sink; does nothing if another has taken its place. */
  detach(sink: NotificationSink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#processes.stopForgetting();
    this.questions.giveUp();
    this.resume();
  }

  /** Resumes the processes that were waiting for the client to read. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const process of this.#processes.all()) {
      // The first process may have sent as much as the client takes: then all are paused again.
      if (this.#paused) return;
      process.resume();
    }
  }

  /**
   * Starts a process under an id that the client chose.
   *
   * @throws {RpcError} -32600 when the name is taken or the session ends, -32603 when too many
   * processes run
   * @throws {StartError} when the operating system refuses; the name is free again
   */
  async start(
    processId: string,
    command: ChildCommand,
    options: StartOptions = {},
  ): Promise<Process> {
    this.requireOpen();
    const hurry = new AbortController();
    return await this.#processes.start(processId, hurry, async () => {
      try {
        return await this.#launch(processId, command, options, hurry);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#trail?.ended(processId, { kind: "failed", reason });
        throw error;
      }
    });
  }

  /**
   * Runs a command that no client is told of, as one of its own.
   *
   * @param start what starts it, if not the usual means
   * @returns as {@linkcode capture}; undefined at once if the session ends
   */
  async capture(
    command: ChildCommand,
    limits: CaptureLimits,
    start: ChildStarter = this.#options.startChild,
  ): Promise<Uint8Array | undefined> {
    const signal = AbortSignal.any([limits.signal, this.#captures.signal]);
    return await capture(command, { ...limits, signal }, start, this.#options.keeper, this);
  }

  /** @throws {RpcError} -32600 once nothing may be started any more */
  requireOpen(): void {
    if (this.#state !== "open") throw invalidRequest(`session ${this.id} has ended`);
  }

  /** How it starts processes unless told otherwise. */
  get startChild(): ChildStarter {
    return this.#options.startChild;
  }

  /** The process of that name, or undefined; a promise while it is being started. */
  find(processId: string): Process | Promise<Process | undefined> | undefined {
    return this.#processes.find(processId);
  }

  /**
   * Kills a process and whatever descends from it; one that is being started is started first, without
   * what could be done before. Returns whether it was running.
   */
  terminate(processId: string): boolean | Promise<boolean> {
    this.#processes.hurry(processId);
    const found = this.find(processId);
    return found instanceof Promise
      ? found.then((process) => this.#terminate(process))
      : this.#terminate(found);
  }

  /** Asks every running process to end, by SIGTERM. Nothing is started any more. */
  requestEnd(): void {
    this.#state = "ending";
    this.#captures.abort();
    for (const process of this.#processes.all()) process.requestEnd();
  }

  /** Kills every process, with what they left running. The client is told of their ends. */
  kill(): void {
    for (const process of this.#processes.all()) process.end("shutdown");
    this.#killLeft();
  }

  /**
   * Kills and forgets every process, with what they left running.
   *
   * @param farewell why the connection of its client is closed, if it has one. @default it is not
   */
  end(farewell?: CloseReason): void {
    this.#state = "ended";
    this.#captures.abort();
    if (farewell !== undefined) this.#sink?.close(farewell);
    this.#sink = undefined;
    this.questions.giveUp();
    this.#processes.clear((processId, process) => this.#abandon(processId, process));
    this.#killLeft();
  }

  #terminate(process: Process | undefined): boolean {
    if (process?.pid === undefined) return false;
    const killLeft = this.#options.keeper.killerOf(process.pid);
    const running = process.terminate();
    if (running) killLeft();
    return running;
  }

  #killLeft(): void {
    const left = this.#options.keeper.killAllOf(this);
    if (left > 0) {
      log("info", "killed what commands had left in the background", { processes: left });
    }
  }

  async #launch(
    processId: string,
    command: ChildCommand,
    { starter, sandbox, timeLimit }: StartOptions,
    hurry: AbortController,
  ): Promise<Process> {
    const { keeper, startChild, limited, retainedBytes, retentionPool, inputBytes } = this.#options;
    using unused = new DisposableStack();
    const deadline = timeLimit &&
      unused.use(new Deadline(timeLimit, (pid) => keeper.killerOf(pid)));
    deadline?.passing.addEventListener("abort", () => hurry.abort());
    if (this.#trail !== undefined) {
      const { argv, arg0, cwd, stdio } = command;
      const tty = stdio.kind === "pty";
      await this.#trail.starting({ processId, argv, arg0, cwd, tty, sandbox });
    }
    const start = this.#kept(starter?.(hurry.signal) ?? startChild);
    const process = await Process.start(
      command,
      limited?.(start) ?? start,
      new EventLog(retainedBytes, retentionPool, this.#spool()),
      (event) => this.#tell(processId, event),
      { inputBytes, deadline },
    );
    unused.move();
    this.#started(processId, process);
    return process;
  }

  /** Has the keeper know what is started before anything else is done with it. */
  #kept(start: ChildStarter): ChildStarter {
    return async (command, observer) => {
      const child = await start(command, observer);
      this.#options.keeper.started(child, this);
      return child;
    };
  }

  #spool(): Spool | undefined {
    return this.#retention.onDisk ? this.#options.spoolDirectory?.open() : undefined;
  }

  #started(processId: string, process: Process): void {
    if (this.#state === "ended") return this.#abandon(processId, process);
    this.#processes.add(processId, process);
    if (this.#state === "ending") process.requestEnd();
    if (this.#paused) process.pause();
  }

  #tell(processId: string, event: LogEvent): void {
    if (event.kind === "exited") this.#exited(processId, event);
    if (event.kind === "closed") {
      const withoutEnd = this.#retention.waitsMs !== undefined;
      this.#processes.closed(processId, { withoutEnd, told: this.attached });
    }
    if (this.#sink === undefined) return;
    this.#sink.send(encodeProcessEvent(processId, event));
    if (this.#sink.saturated) this.#pause();
  }

  #exited(processId: string, event: ExitedEvent): void {
    this.#processes.giveSlot(processId);
    this.questions.giveUp(processId);
    const process = this.find(processId);
    if (process === undefined || process instanceof Promise) return;
    this.#finished(processId, process, event);
    if (process.pid !== undefined) this.#options.keeper.exited(process.pid);
  }

  /** Kills a process whose end nobody will hear of any more. */
  #abandon(processId: string, process: Process): void {
    const { running } = process;
    process.end("shutdown");
    process.abandon();
    if (running) this.#finished(processId, process);
  }

  /** Records the end of a process, once: at its exit, or when it is abandoned before. */
  #finished(processId: string, process: Process, exit?: ExitedEvent): void {
    const { outcome = "exited", sandboxType, age } = process;
    this.#options.telemetry.processFinished(outcome, sandboxType, age);
    this.#trail?.ended(processId, { kind: "ended", exit, outcome, sandboxType, age });
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    for (const process of this.#processes.all()) process.pause();
  }
}
