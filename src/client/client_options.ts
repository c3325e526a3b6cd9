import type { ParamsInput, Result } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import type { ConnectionError } from "../transport/client_transport.ts";

/** How a client connects and reconnects. */
export interface ClientOptions {
  /** The client's name in the executor's logs. @default "remex" */
  readonly clientName?: string;
  /** Token that is sent as `Authorization: Bearer` over sockets. */
  readonly token?: string;
  /** Certificates to be trusted besides the usual ones, in PEM format. */
  readonly caCerts?: string[];
  /**
   * Whether `connect` returns before the executor has given a session.
   * Requests then follow the request for a session, and the first answer comes a round trip earlier.
   * Without a session they reject.
   *
   * @default false
   */
  readonly pipelined?: boolean;
  /** How long connecting may take, in milliseconds. @default 10 s */
  readonly connectTimeoutMs?: number;
  /**
   * Ends connecting: `connect` then rejects with its reason. It has no effect on a client that
   * `connect` has returned.
   */
  readonly signal?: AbortSignal;
  /** How long to go on reconnecting, in milliseconds. @default 25 s */
  readonly recoveryTimeoutMs?: number;
  /** Pause between attempts to reconnect, in milliseconds. @default 100 */
  readonly retryDelayMs?: number;
  /**
   * Silence of the executor, pings unanswered, after which the connection counts as lost, in
   * milliseconds.
   *
   * @default 15 s
   */
  readonly silenceLimitMs?: number;
  /** Output that may wait for the consumer of a process, in bytes. @default 4 MiB */
  readonly maxBufferedBytes?: number;
  /**
   * What happens when more waits. `fetchAgain` drops output and reads it again later, which fails if the
   * executor no longer retains it; `wait` makes the executor wait, with all processes of this client.
   *
   * @default "fetchAgain"
   */
  readonly slowConsumer?: "fetchAgain" | "wait";
  /**
   * How long the session is to wait for its client while it has processes, and how long ended ones
   * are to be remembered, in milliseconds. The executor grants what it allows, and tells it in its
   * answer, if it has the capability `maxSessionRetentionMs`.
   *
   * @default as the executor does by itself
   */
  readonly sessionRetentionMs?: number;
  /** Whether output of processes is to be kept on the executor's disk. @default false */
  readonly retainOnDisk?: boolean;
  /** The id of a session to resume instead of opening another one. @default none */
  readonly resumeSessionId?: string;
  /** Whether to take that session over from a client that has it. @default false */
  readonly takeOver?: boolean;
  /** Called when the connection was lost and the client reconnects. */
  readonly onInterrupted?: (reason: ConnectionError) => void;
  /** Called with the id of a watch of `fs/watchMissing` that has seen a change. */
  readonly onMissingChanged?: (watchId: number) => void;
  /** Called once, when the session has ended: the executor was lost for good, or the client closed. */
  readonly onEnded?: (reason: ConnectionError) => void;
  /** Called when the client has reconnected. */
  readonly onRestored?: () => void;
}

/** The command to start. `processId` is random by default; `cwd` is a path URI. */
export type StartParams =
  & Omit<ParamsInput<"process/start">, "processId" | "cwd" | "tty">
  & {
    readonly processId?: string;
    readonly cwd: string | PathUri;
    /** @default false */
    readonly tty?: boolean;
  };

/** A response whose body is streamed. */
export interface StreamedResponse {
  /** The HTTP server's status, of an error too. */
  readonly status: number;
  /** The headers in the order of the response; a name may occur several times. */
  readonly headers: Result<"http/request">["headers"];
  /** The body; cancelling it ends the request. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** The options that a client has by default. */
export const DEFAULTS = {
  clientName: "remex",
  connectTimeoutMs: 10_000,
  recoveryTimeoutMs: 25_000,
  retryDelayMs: 100,
  silenceLimitMs: 15_000,
  maxBufferedBytes: 4 * 1024 * 1024,
  slowConsumer: "fetchAgain",
} as const;
