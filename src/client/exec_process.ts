import type { NetworkReport, TerminalSize } from "../protocol/process.ts";
import type { Result } from "../protocol/methods.ts";
import type { OutputStream, ProcessSignal, WriteStatus } from "../protocol/process.ts";
import type { SandboxType } from "../protocol/sandbox.ts";

export type { NetworkReport, OutputStream, ProcessSignal, SandboxType, TerminalSize, WriteStatus };

/** What happens to a process, numbered without gaps from 1. */
export type ProcessEvent =
  | {
    readonly kind: "output";
    readonly seq: number;
    readonly stream: OutputStream;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }
  /** The process has ended, though a descendant may still write. 128 + n for signal n. */
  | {
    readonly kind: "exited";
    readonly seq: number;
    readonly exitCode: number;
    readonly sandboxDenied: boolean;
    /** Whether it was told to end as its time was up; undefined for no. */
    readonly timedOut?: boolean | undefined;
    /** What the executor's proxy reached for it and denied it. Missing where there is no proxy. */
    readonly network?: NetworkReport | undefined;
  }
  /** Ended, and all output has been read. Nothing follows. */
  | { readonly kind: "closed"; readonly seq: number };

/** An event as a program that follows a process sees it. */
export type ExecEvent =
  | ProcessEvent
  /** What becomes of the process cannot be known any more. Nothing follows. */
  | { readonly kind: "failed"; readonly error: Error };

/** How a process ended. */
export interface Completion {
  /** 128 + n for signal n. */
  readonly exitCode: number;
  /** Whether its sandbox kept it from something, as far as that can be told. */
  readonly sandboxDenied: boolean;
  /** What the executor's proxy reached for it and denied it; undefined where it was asked nothing. */
  readonly network?: NetworkReport | undefined;
}

/** Which part of the retained output is asked for. */
export interface ReadOptions {
  /** Only chunks with a greater sequence number. @default 0 */
  readonly afterSeq?: number;
  /** Bytes at the most, but always one chunk if there is one. @default no limit */
  readonly maxBytes?: number;
  /** How long to wait for something to report, in milliseconds. @default 0 */
  readonly waitMs?: number;
}

/** Retained output and the state of a process. */
export type ReadOutcome = Result<"process/read">;

/**
 * A command being run, here or on another machine.
 *
 * Iterating gives its events, in order and from the first, to one consumer.
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
  /** Names it in its session. */
  readonly processId: string;
  /** The kind of enclosure that it got; undefined from executors that do not tell. */
  readonly sandboxType: SandboxType | undefined;
  /**
   * Settles when the ordered events have reached `closed`, whether or not anyone takes them.
   *
   * @throws {Error} that of the event `failed`
   */
  readonly completion: Promise<Completion>;
  /** Output that is retained, and the state of the process. The events need no such reads. */
  read(options?: ReadOptions): Promise<ReadOutcome>;
  /** Gives it input, in the order of the calls, each part once. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus>;
  /**
   * Ends its input, behind what was written before.
   *
   * @throws {RpcError} -32600 on a terminal, which takes Ctrl-D instead; -32601 from an executor
   * that cannot do it
   */
  closeStdin(): Promise<void>;
  /**
   * Sends SIGINT, SIGTERM or SIGHUP to the process group. Nothing happens once the process has
   * ended.
   *
   * @throws {RpcError} -32602 from an executor that knows `interrupt` alone
   */
  signal(signal: ProcessSignal): Promise<void>;
  /** Kills the process with its group. Tells whether it was running. */
  terminate(): Promise<boolean>;
  /** Changes the size of its terminal. */
  resize(size: TerminalSize): Promise<void>;
}
