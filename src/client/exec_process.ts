import type {
  ExceededLimit,
  NetworkReport,
  OutputStream,
  ProcessSignal,
  TerminalSize,
  WriteStatus,
} from "../protocol/process.ts";
import type { Result } from "../protocol/methods.ts";
import type { SandboxType } from "../protocol/sandbox.ts";

/** Why a process was lost although the connection was not. */
export type ProcessErrorCode =
  /** Output came faster than it was consumed, and is no longer retained. */
  | "outputLost"
  /** The executor no longer knows the process. */
  | "unknownProcess"
  /** The executor reports that it cannot follow the process. */
  | "executorFailure";

/** A process was lost. */
export class ProcessError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "ProcessError";
  /** The reason; the message describes it. */
  readonly code: ProcessErrorCode;

  /** Makes an error with a code and a message. */
  constructor(code: ProcessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type {
  ExceededLimit,
  NetworkReport,
  OutputStream,
  ProcessSignal,
  SandboxType,
  TerminalSize,
  WriteStatus,
};

/** An event of a process. Events are numbered from 1 without gaps. */
export type ProcessEvent =
  | {
    readonly kind: "output";
    readonly seq: number;
    readonly stream: OutputStream;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }
  /** The process has exited, with 128 + n after signal n; a descendant may still write output. */
  | {
    readonly kind: "exited";
    readonly seq: number;
    readonly exitCode: number;
    readonly sandboxDenied: boolean;
    /** Which limit of the executor ended it, if one did and the executor tells. */
    readonly limitExceeded?: ExceededLimit;
    /** Whether it was told to end as its time was up; undefined for no. */
    readonly timedOut?: boolean | undefined;
    /** What the executor's proxy reached for it and denied it. Missing where there is no proxy. */
    readonly network?: NetworkReport | undefined;
  }
  /** The process has exited and its output has ended. Nothing follows. */
  | { readonly kind: "closed"; readonly seq: number };

/** An event as the consumer of a process gets it. */
export type ExecEvent =
  | ProcessEvent
  /** The process was lost; its state is unknown. Nothing follows. */
  | { readonly kind: "failed"; readonly error: Error };

/** How a process ended. */
export interface Completion {
  /** 128 + n for signal n. */
  readonly exitCode: number;
  /** Whether its sandbox denied it something, as far as the executor can tell. */
  readonly sandboxDenied: boolean;
  /** Which limit of the executor ended it, if one did and the executor tells. */
  readonly limitExceeded?: ExceededLimit;
  /** Whether it was told to end as its time was up; undefined for no. */
  readonly timedOut?: boolean | undefined;
  /** What the executor's proxy reached for it and denied it; undefined where it was asked nothing. */
  readonly network?: NetworkReport | undefined;
}

/** Which part of the retained output is asked for. */
export interface ReadOptions {
  /** Only chunks with a greater sequence number. @default 0 */
  readonly afterSeq?: number;
  /** Largest size in bytes; one chunk is always returned if there is one. @default no limit */
  readonly maxBytes?: number;
  /** How long to wait for an event, in milliseconds. @default 0 */
  readonly waitMs?: number;
}

/** Retained output and the state of a process. */
export type ReadOutcome = Result<"process/read">;

/**
 * A running command, on this machine or another.
 *
 * Iterating gives one consumer all events in order.
 *
 * @example
 * ```ts
 * for await (const event of process) {
 *   if (event.kind === "output") await Deno.stdout.write(event.bytes);
 * }
 * const { exitCode } = await process.completion;
 * ```
 */
export interface ExecProcess extends AsyncIterable<ExecEvent> {
  /** The id of the process in its session. */
  readonly processId: string;
  /** The sandbox that the process runs in; undefined if the executor does not tell. */
  readonly sandboxType: SandboxType | undefined;
  /**
   * Settles when the event `closed` has arrived, even if nobody iterates.
   *
   * @throws {Error} that of the event `failed`
   */
  readonly completion: Promise<Completion>;
  /** Reads retained output and the state of the process. Whoever iterates needs no reads. */
  read(options?: ReadOptions): Promise<ReadOutcome>;
  /** Writes input, in the order of the calls, each part once. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus>;
  /**
   * Ends the input after what was written before.
   *
   * @throws {RpcError} -32600 on a terminal, which takes Ctrl-D instead; -32601 from an executor
   * that does not support it
   */
  closeStdin(): Promise<void>;
  /**
   * Sends SIGINT, SIGTERM or SIGHUP to the process group, unless the process has ended.
   *
   * @throws {RpcError} -32602 from an executor that supports only `interrupt`
   */
  signal(signal: ProcessSignal): Promise<void>;
  /** Kills the process and its group. Returns whether the process was running. */
  terminate(): Promise<boolean>;
  /** Sets the size of its terminal. */
  resize(size: TerminalSize): Promise<void>;
}
