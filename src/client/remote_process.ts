import { RpcError } from "../protocol/errors.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import { ConnectionError } from "../transport/client_transport.ts";
import { CATCH_UP_BYTES, catchUp, networkOf, retainedOutput } from "./catch_up.ts";
import { EventBuffer, EventSequence } from "./event_buffer.ts";
import type {
  Completion,
  ExecEvent,
  ExecProcess,
  ProcessEvent,
  ProcessSignal,
  ReadOptions,
  ReadOutcome,
  TerminalSize,
  WriteStatus,
} from "./exec_process.ts";
import { InputQueue } from "./input_queue.ts";
import { ProcessError } from "./process_error.ts";
import type { ExecutorNotification, RpcConnection } from "./rpc_connection.ts";

/** How long an event may be overtaken by later ones before it is looked for, in milliseconds. */
const GAP_PATIENCE_MS = 100;

/** What a process needs of the client that it belongs to. */
export interface ProcessHost {
  /** Does something with the connection, once there is one. */
  use<T>(action: (connection: RpcConnection) => Promise<T>): Promise<T>;
  /** Nothing more will be told of the process, or sent to it. */
  finished(ended: RemoteProcess): void;
  /** The consumer is slow: the executor should wait, or need not any more. */
  hold(slow: RemoteProcess): void;
  release(slow: RemoteProcess): void;
}

/** What the executor pushes about a process. */
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

/** A process on an executor, followed by what the executor pushes. */
export class RemoteProcess implements ExecProcess {
  readonly processId: string;
  readonly #host: ProcessHost;
  readonly #sequence = new EventSequence((event) => this.#publish(event));
  readonly #events: EventBuffer;
  readonly #input: InputQueue;
  readonly #completion = Promise.withResolvers<Completion>();
  #sandboxType: SandboxType | undefined;
  #exit: Completion | undefined;
  /** Whether the executor is being asked if the sandbox denied something. */
  #settlingExit = false;
  #gapTimer: number | undefined;
  #state: "starting" | "running" | "finished" = "starting";

  constructor(processId: string, host: ProcessHost, options: EventOptions) {
    this.processId = processId;
    this.#host = host;
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

  /** The executor has started it. */
  started(sandboxType: SandboxType | undefined, connection: RpcConnection): void {
    this.#sandboxType = sandboxType;
    if (this.#state === "starting") this.#state = "running";
    this.#input.connected(connection);
    this.#watchGap();
  }

  /** The executor has pushed something; that may be before the start is answered. */
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
        const { seq, exitCode, sandboxDenied, timedOut } = params;
        if (sandboxDenied === undefined) this.#settleExit(seq, exitCode);
        else {
          const more = { timedOut, ...networkOf(params) };
          this.#sequence.accept({ kind: "exited", seq, exitCode, sandboxDenied, ...more });
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
   * Fetches over a new connection what was missed without one. A process that cannot be brought up
   * to date is given up, alone.
   *
   * @throws {ConnectionError} when the connection is lost meanwhile
   */
  async catchUp(connection: RpcConnection): Promise<void> {
    if (this.#state === "finished") return;
    try {
      await catchUp(
        this.#sequence,
        (afterSeq) =>
          connection.call("process/read", {
            processId: this.processId,
            afterSeq,
            maxBytes: CATCH_UP_BYTES,
          }),
      );
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

  /** Nothing can be known of the process any more. */
  fail(error: Error): void {
    this.#input.fail(error);
    this.#events.push({ kind: "failed", error });
    this.#completion.reject(error);
    this.#finish();
    this.#host.finished(this);
  }

  /** Fails the process and sees to it that it does not run on unheeded. */
  #giveUp(error: ProcessError): void {
    this.fail(error);
    this.terminate().catch(() => {});
  }

  #publish(event: ProcessEvent): void {
    if (event.kind === "exited") this.#exit = event;
    this.#events.push(event);
    if (event.kind !== "closed") return;
    const { exitCode = 0, sandboxDenied = false, network } = this.#exit ?? {};
    this.#completion.resolve({
      exitCode,
      sandboxDenied,
      ...network === undefined ? {} : { network },
    });
    this.#finish();
    this.#input.processEnded(() => this.#host.finished(this));
  }

  #finish(): void {
    this.#state = "finished";
    clearTimeout(this.#gapTimer);
  }

  /** An older executor does not say with the exit what its sandbox did: one read tells. */
  async #settleExit(seq: number, exitCode: number): Promise<void> {
    this.#settlingExit = true;
    let sandboxDenied = false;
    try {
      sandboxDenied = (await this.read({ afterSeq: seq })).sandboxDenied ?? false;
    } catch (error) {
      // After a reconnect the exit comes with everything else that was missed.
      if (error instanceof ConnectionError) return;
    }
    this.#settlingExit = false;
    this.#sequence.accept({ kind: "exited", seq, exitCode, sandboxDenied });
  }

  /** An event that others have overtaken for long was lost, and is looked for among the retained. */
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
    this.#host.use((connection) => this.catchUp(connection)).catch(() => {
      // The connection is gone, and the next one begins with the same.
    });
  }

  /** A read that is repeated when its connection is lost: reading twice does no harm. */
  async #readAgain(afterSeq: number): Promise<ReadOutcome> {
    while (true) {
      try {
        return await this.read({ afterSeq, maxBytes: CATCH_UP_BYTES });
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
