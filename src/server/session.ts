import { log, logSeldom } from "../log/log.ts";
import { capture, type CaptureLimits } from "../process/capture.ts";
import type { ChildCommand } from "../process/child.ts";
import { EventLog, type ExitedEvent, type LogEvent } from "../process/event_log.ts";
import { type ChildStarter, Process } from "../process/process.ts";
import type { ProcessKeeper } from "../process/process_keeper.ts";
import type { Quota } from "../process/quota.ts";
import type { RetentionPool } from "../process/retention_pool.ts";
import { ShellSnapshots } from "../process/shell_snapshot.ts";
import type { Spool, SpoolDirectory } from "../process/spool.ts";
import { encodeNotification } from "../protocol/envelope.ts";
import { internalError, invalidRequest } from "../protocol/errors.ts";
import type { SandboxContext } from "../protocol/sandbox.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { CloseReason, TransportKind } from "../transport/transport.ts";
import type { AuditLog, EndRecorder } from "./audit_log.ts";
import { NetworkQuestions } from "./network_questions.ts";
import type { ClosedProcesses, Memory } from "./closed_processes.ts";
import { encodeProcessEvent } from "./process_notification.ts";

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

/** One client's processes, which outlive its connections. */
export class Session {
  readonly id: string = crypto.randomUUID();
  /** What its shells' startup files did. */
  readonly shells: ShellSnapshots = new ShellSnapshots();
  /** Whether the client has said that it will not come back. */
  endsWithConnection = false;
  /**
   * How long it waits for its client while it has processes, in milliseconds. Undefined unless the
   * client has asked for a time.
   */
  retentionMs: number | undefined;
  /** Whether output of processes that are started from now on is kept on disk. */
  retainsOnDisk = false;
  readonly #options: SessionOptions;
  readonly #processes = new Map<string, Process>();
  /** Processes being started; a promise gives undefined if the start fails. */
  readonly #starting = new Map<string, Promise<Process | undefined>>();
  readonly #memories = new Set<Memory>();
  /** The names of processes that occupy a slot. */
  readonly #slotHolders = new Set<string>();
  /** What takes down the ends of processes that have not ended. */
  readonly #endRecorders = new Map<Process, EndRecorder>();
  /** Asks the client about its commands' network. */
  readonly questions: NetworkQuestions = new NetworkQuestions((message) => this.notify(message));
  #sink: NotificationSink | undefined;
  /** Where its client is, or was last. */
  #client: Pick<NotificationSink, "kind" | "peer" | "subject"> = {};
  #paused = false;
  #ended = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get attached(): boolean {
    return this.#sink !== undefined;
  }

  /** How many of its processes have not exited. */
  get runningProcesses(): number {
    return this.#all().filter((process) => process.running).length;
  }

  /** Whether it has no process, none that has ended either. */
  get empty(): boolean {
    return this.#processes.size + this.#starting.size === 0;
  }

  /** Sends notifications to this sink from now on. */
  attach(sink: NotificationSink): void {
    this.#sink = sink;
    const { kind, peer, subject } = sink;
    this.#client = { ...kind === undefined ? {} : { kind }, peer, subject };
    for (const memory of this.#memories) memory.startForgetting();
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
    // Nobody is there to learn how they ended.
    for (const memory of this.#memories) memory.stopForgetting();
    this.questions.giveUp();
    this.resume();
  }

  /** Resumes the processes that were waiting for the client to read. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const process of this.#all()) {
      // The first process may have sent as much as the client takes: then all are paused again.
      if (this.#paused) return;
      process.resume();
    }
  }

  /**
   * Starts a process under an id that the client chose.
   *
   * @param sandbox what the client asked for, to be taken down
   * @throws {RpcError} -32600 when the name is taken, -32603 when too many processes run
   * @throws {StartError} when the operating system refuses; the name is free again
   */
  async start(
    processId: string,
    command: ChildCommand,
    startChild: ChildStarter = this.#options.startChild,
    sandbox?: SandboxContext,
  ): Promise<Process> {
    if (this.find(processId) !== undefined) {
      throw invalidRequest(`process ${processId} already exists`);
    }
    this.#takeSlot(processId);
    const started = this.#launchAudited(processId, command, startChild, sandbox);
    this.#starting.set(processId, started.catch(() => undefined));
    try {
      return await started;
    } catch (error) {
      this.#giveSlot(processId);
      throw error;
    } finally {
      this.#starting.delete(processId);
    }
  }

  /**
   * Runs a command that no client is told of, as one of its own.
   *
   * @param start what starts it, if not the usual means
   * @returns as {@linkcode capture}; undefined at once if the session has ended
   */
  async capture(
    command: ChildCommand,
    limits: CaptureLimits,
    start: ChildStarter = this.#options.startChild,
  ): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    return await capture(command, limits, start, this.#options.keeper, this);
  }

  /** How it starts processes unless told otherwise. */
  get startChild(): ChildStarter {
    return this.#options.startChild;
  }

  /** The process of that name, or undefined; a promise while it is being started. */
  find(processId: string): Process | Promise<Process | undefined> | undefined {
    return this.#processes.get(processId) ?? this.#starting.get(processId);
  }

  /** Kills a process and whatever descends from it. Returns whether it was running. */
  terminate(process: Process): boolean {
    const running = process.terminate();
    if (running && process.pid !== undefined) this.#options.keeper.killLeftBy(process.pid);
    return running;
  }

  /** Asks every running process to end, by SIGTERM. */
  requestEnd(): void {
    for (const process of this.#all()) process.requestEnd();
  }

  /** Kills every process because the executor shuts down. The client is told of their ends. */
  kill(): void {
    for (const process of this.#all()) process.end("shutdown");
  }

  /** Kills and forgets every process, with what they left running. */
  end(): void {
    this.#ended = true;
    this.#sink = undefined;
    this.questions.giveUp();
    for (const memory of this.#memories) this.#options.closedProcesses.forget(memory);
    for (const process of this.#all()) {
      this.#abandon(process);
      process.log.clear();
    }
    this.#processes.clear();
    for (const processId of this.#slotHolders) this.#giveSlot(processId);
    const left = this.#options.keeper.killAllOf(this);
    if (left > 0) {
      log("info", "killed what commands had left in the background", { processes: left });
    }
  }

  #takeSlot(processId: string): void {
    const { processSlots } = this.#options;
    if (!processSlots.take()) {
      logSeldom("warn", "start refused: too many processes", { limit: processSlots.limit });
      throw internalError(
        `${processSlots.limit} processes are running on this executor already (--max-processes)`,
      );
    }
    this.#slotHolders.add(processId);
  }

  #giveSlot(processId: string): void {
    if (this.#slotHolders.delete(processId)) this.#options.processSlots.give();
  }

  #all(): Process[] {
    return [...this.#processes.values()];
  }

  async #launchAudited(
    processId: string,
    command: ChildCommand,
    startChild: ChildStarter,
    sandbox: SandboxContext | undefined,
  ): Promise<Process> {
    const { argv, arg0, cwd, stdio } = command;
    const client = {
      sessionId: this.id,
      transport: this.#client.kind,
      peer: this.#client.peer,
      subject: this.#client.subject,
    };
    const audited = { processId, argv, arg0, cwd, tty: stdio.kind === "pty", sandbox };
    const record = await this.#options.audit?.starting(client, audited);
    try {
      return await this.#launch(processId, command, startChild, record);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      record?.({ kind: "failed", reason });
      throw error;
    }
  }

  async #launch(
    processId: string,
    command: ChildCommand,
    startChild: ChildStarter,
    record: EndRecorder | undefined,
  ): Promise<Process> {
    const process = await Process.start(
      command,
      this.#options.limited?.(startChild) ?? startChild,
      new EventLog(this.#options.retainedBytes, this.#options.retentionPool, this.#spool()),
      (event) => this.#tell(processId, event),
      this.#options.inputBytes,
    );
    if (record !== undefined) this.#endRecorders.set(process, record);
    this.#started(processId, process);
    return process;
  }

  #spool(): Spool | undefined {
    return this.retainsOnDisk ? this.#options.spoolDirectory?.open() : undefined;
  }

  #started(processId: string, process: Process): void {
    if (process.pid !== undefined) this.#options.keeper.started(process.pid, this);
    if (this.#ended) return this.#abandon(process);
    this.#processes.set(processId, process);
    if (this.#paused) process.pause();
  }

  #tell(processId: string, event: LogEvent): void {
    if (event.kind === "exited") this.#exited(processId, event);
    if (event.kind === "closed") this.#planEviction(processId);
    if (this.#sink === undefined) return;
    this.#sink.send(encodeProcessEvent(processId, event));
    if (this.#sink.saturated) this.#pause();
  }

  #exited(processId: string, event: ExitedEvent): void {
    this.#giveSlot(processId);
    this.questions.giveUp(processId);
    const process = this.#processes.get(processId);
    if (process === undefined) return;
    this.#finished(process, event);
    if (process.pid !== undefined) this.#options.keeper.exited(process.pid);
  }

  /** Kills a process whose end nobody will hear of any more. */
  #abandon(process: Process): void {
    const { running } = process;
    process.end("shutdown");
    process.abandon();
    if (running) this.#finished(process);
  }

  /** Records the end of a process, once: at its exit, or when it is abandoned before. */
  #finished(process: Process, exit?: ExitedEvent): void {
    const { outcome = "exited", sandboxType, age } = process;
    this.#options.telemetry.processFinished(outcome, sandboxType, age);
    this.#endRecorders.get(process)?.({ kind: "ended", exit, outcome, sandboxType, age });
    this.#endRecorders.delete(process);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    for (const process of this.#all()) process.pause();
  }

  #planEviction(processId: string): void {
    const memory = this.#options.closedProcesses.remember(() => {
      this.#memories.delete(memory);
      this.#processes.get(processId)?.log.clear();
      this.#processes.delete(processId);
    }, { withoutEnd: this.retentionMs !== undefined });
    this.#memories.add(memory);
    if (this.attached) memory.startForgetting();
  }
}
