import { RpcError } from "../protocol/errors.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import { ConnectionError } from "../transport/client_transport.ts";
import { networkOf, replay, REPLAY_BYTES, retainedOutput } from "./replay.ts";
import { EventBuffer, EventSequence } from "./event_buffer.ts";
import {
  type Completion,
  type ExecEvent,
  type ExecProcess,
  ProcessError,
  type ProcessEvent,
  type ProcessSignal,
  type ReadOptions,
  type ReadOutcome,
  type TerminalSize,
  type WriteStatus,
} from "./exec_process.ts";
import { InputQueue } from "./input_queue.ts";
import type { ExecutorNotification, RpcConnection } from "./rpc_connection.ts";

/** How long an event may be missing before it is read again, in milliseconds. */
const GAP_PATIENCE_MS = 100;

/** How a process uses its client. */
export interface ProcessHost {
  /** Calls a function with the connection, once there is one. */
  use<T>(action: (connection: RpcConnection) => Promise<T>): Promise<T>;
  /** Nothing more is received from the process or sent to it. */
  finished(ended: RemoteProcess): void;
  /** The consumer is slow: the executor should wait. */
  hold(slow: RemoteProcess): void;
  /** The consumer has caught up: the executor need not wait any more. */
  release(slow: RemoteProcess): void;
}

/** A notification about a process. */
export type ProcessNotification = Extract<
  ExecutorNotification,
  { method: `process/${string}` }
>;

/** How events wait for their consumer. */
export interface EventOptions {
  /** Output waiting for the consumer, in bytes. */
  readonly maxBufferedBytes: number;
  readonly slowConsumer: "fetchAgain" | "wait";
}

/** A process on an executor, followed by the executor's notifications. */
export class RemoteProcess implements ExecProcess {
  readonly processId: string;
  readonly #host: ProcessHost;
  readonly #sequence: EventSequence;
  readonly #events: EventBuffer;
  readonly #input: InputQueue;
  readonly #completion = Promise.withResolvers<Completion>();
  #sandboxType: SandboxType | undefined;
  #exit: Completion | undefined;
  /** Whether a read is under way that tells if the sandbox denied something. */
  #settlingExit = false;
  #gapTimer: number | undefined;
  /** Whether another client has started it, and wants it to run on. */
  readonly #adopted: boolean;
  #state: "starting" | "running" | "finished" = "starting";

  /** @param adoptedAfter undefined unless it runs already: the number of the last event seen of it */
  constructor(
    processId: string,
    host: ProcessHost,
    options: EventOptions,
    adoptedAfter?: number,
  ) {
    this.processId = processId;
    this.#host = host;
    this.#adopted = adoptedAfter !== undefined;
    this.#sequence = new EventSequence((event) => this.#publish(event), adoptedAfter);
    this.#input = new InputQueue(processId);
    this.#events = new EventBuffer(
      options.maxBufferedBytes,
      options.slowConsumer === "wait"
        ? { kind: "wait", hold: () => host.hold(this), release: () => host.release(this) }
        : {
          kind: "fetchAgain",
          fetch: (from, to) => retainedOutput(from, to, (after) => this.#readAgain(after)),
          failed: (error) => this.#giveUp(error),
        },
    );
    this.#completion.promise.catch(() => {});
  }

  get sandboxType(): SandboxType | undefined {
    return this.#sandboxType;
  }

  get completion(): Promise<Completion> {
    return this.#completion.promise;
  }

  [Symbol.asyncIterator](): AsyncIterator<ExecEvent, void> {
    return this.#events;
  }

  read(options: ReadOptions = {}): Promise<ReadOutcome> {
    const params = { processId: this.processId, ...options };
    return this.#host.use((connection) => connection.call("process/read", params));
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus> {
    return this.#input.write(bytes);
  }

  closeStdin(): Promise<void> {
    return this.#input.close();
  }

  async signal(signal: ProcessSignal): Promise<void> {
    const params = { processId: this.processId, signal };
    await this.#host.use((connection) => connection.call("process/signal", params));
  }

  async terminate(): Promise<boolean> {
    const params = { processId: this.processId };
    const answer = await this.#host.use((connection) =>
      connection.call("process/terminate", params)
    );
    return answer.running;
  }

  async resize(size: TerminalSize): Promise<void> {
    const params = { processId: this.processId, ...size };
    await this.#host.use((connection) => connection.call("process/resize", params));
  }

  /** The executor has started the process. */
  started(sandboxType: SandboxType | undefined, connection: RpcConnection): void {
    this.#sandboxType = sandboxType;
    if (this.#state === "starting") this.#state = "running";
    this.#input.connected(connection);
    this.#watchGap();
  }

  /**
   * Follows a process that runs already.
   *
   * @throws {RpcError} -32600 when the executor does not know it
   * @throws {ProcessError} when events are no longer retained
   * @throws {ConnectionError} when the connection is lost
   */
  async adopt(connection: RpcConnection): Promise<void> {
    await this.#replayOver(connection);
    this.started(undefined, connection);
  }

  /** The executor has sent a notification, perhaps before its answer to the start. */
  notified({ method, params }: ProcessNotification): void {
    switch (method) {
      case "process/output":
        this.#sequence.accept({
          kind: "output",
          seq: params.seq,
          stream: params.stream,
          bytes: params.chunk,
        });
        break;
      case "process/exited": {
        const { seq, exitCode, sandboxDenied, limitExceeded, timedOut } = params;
        if (sandboxDenied === undefined) this.#settleExit(seq, exitCode);
        else {
          this.#sequence.accept({
            kind: "exited",
            seq,
            exitCode,
            sandboxDenied,
            timedOut,
            ...limitExceeded !== undefined && { limitExceeded },
            ...networkOf(params),
          });
        }
        break;
      }
      case "process/closed":
        this.#sequence.accept({ kind: "closed", seq: params.seq });
        break;
    }
    this.#watchGap();
  }

  /** The connection is gone. */
  interrupted(): void {
    clearTimeout(this.#gapTimer);
    this.#gapTimer = undefined;
    this.#settlingExit = false;
    this.#input.disconnected();
  }

  /**
   * Reads over a new connection the events that were missed. If some are lost, this process alone fails.
   *
   * @throws {ConnectionError} when the connection is lost meanwhile
   */
  async replay(connection: RpcConnection): Promise<void> {
    if (this.#state === "finished") return;
    try {
      await this.#replayOver(connection);
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      this.#giveUp(asProcessError(error));
    }
  }

  /** There is a connection again. */
  restored(connection: RpcConnection): void {
    this.#input.connected(connection);
    this.#watchGap();
  }

  /** Nothing more can be learned of the process. */
  fail(error: Error): void {
    this.#input.fail(error);
    this.#events.push({ kind: "failed", error });
    this.#completion.reject(error);
    this.#finish();
    this.#host.finished(this);
  }

  async #replayOver(connection: RpcConnection): Promise<void> {
    const { processId } = this;
    await replay(
      this.#sequence,
      (afterSeq) =>
        connection.call("process/read", { processId, afterSeq, maxBytes: REPLAY_BYTES }),
    );
  }

  /** Fails the process, and terminates its own so that it does not run on unobserved. */
  #giveUp(error: ProcessError): void {
    this.fail(error);
    if (!this.#adopted) this.terminate().catch(() => {});
  }

  #publish(event: ProcessEvent): void {
    if (event.kind === "exited") this.#exit = event;
    this.#events.push(event);
    if (event.kind !== "closed") return;
    const exit: Completion = this.#exit ?? { exitCode: 0, sandboxDenied: false };
    const { exitCode, sandboxDenied, limitExceeded, timedOut, network } = exit;
    this.#completion.resolve({
      exitCode,
      sandboxDenied,
      ...limitExceeded !== undefined && { limitExceeded },
      ...timedOut === true && { timedOut },
      ...network === undefined ? {} : { network },
    });
    this.#finish();
    this.#input.processEnded(() => this.#host.finished(this));
  }

  #finish(): void {
    this.#state = "finished";
    clearTimeout(this.#gapTimer);
  }

  /** Reads whether the sandbox denied something, which older executors do not send with the exit. */
  async #settleExit(seq: number, exitCode: number): Promise<void> {
    this.#settlingExit = true;
    let sandboxDenied = false;
    try {
      sandboxDenied = (await this.read({ afterSeq: seq })).sandboxDenied ?? false;
    } catch (error) {
      // After a reconnect the replay brings the exit.
      if (error instanceof ConnectionError) return;
    }
    this.#settlingExit = false;
    this.#sequence.accept({ kind: "exited", seq, exitCode, sandboxDenied });
  }

  /** Reads retained events again when one has been missing for a while. */
  #watchGap(): void {
    const waiting = this.#sequence.gapped && !this.#settlingExit && this.#state === "running";
    if (!waiting || this.#gapTimer !== undefined) return;
    const { lastPublished } = this.#sequence;
    this.#gapTimer = setTimeout(() => {
      this.#gapTimer = undefined;
      if (lastPublished === this.#sequence.lastPublished) this.#fillGap();
      else this.#watchGap();
    }, GAP_PATIENCE_MS);
  }

  #fillGap(): void {
    if (!this.#sequence.gapped || this.#settlingExit) return;
    this.#host.use((connection) => this.replay(connection)).catch(() => {
      // The connection is lost; the next one begins with a replay.
    });
  }

  /** Reads, again if the connection is lost: a read changes nothing. */
  async #readAgain(afterSeq: number): Promise<ReadOutcome> {
    while (true) {
      try {
        return await this.read({ afterSeq, maxBytes: REPLAY_BYTES });
      } catch (error) {
        if (!(error instanceof ConnectionError) || error.code !== "lost") throw error;
      }
    }
  }
}

function asProcessError(error: unknown): ProcessError {
  if (error instanceof ProcessError) return error;
  const words = error instanceof Error ? error.message : String(error);
  return error instanceof RpcError
    ? new ProcessError("unknownProcess", `the executor no longer knows the process: ${words}`)
    : new ProcessError("executorFailure", words, { cause: error });
}
