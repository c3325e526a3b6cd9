import type { ParamsInput, Result } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import type { ConnectionError } from "../transport/client_transport.ts";

/** How a client connects, and what it does when the connection breaks. */
export interface ClientOptions {
  /** What the executor's logs call this client. @default "remex" */
  readonly clientName?: string;
  /** Sent as `Authorization: Bearer` over sockets. */
  readonly token?: string;
  /** Certificates to be trusted besides the usual ones, in PEM format. */
  readonly caCerts?: string[];
  /**
   * Do not wait for the executor's consent: requests made at once go out behind the request for a
   * session, and the first answer comes a round trip earlier. If there is no session they reject.
   *
   * @default false
   */
  readonly pipelined?: boolean;
  /** How long connecting may take, in milliseconds. @default 10 s */
  readonly connectTimeoutMs?: number;
  /** How long a lost connection is looked for, in milliseconds. @default 25 s */
  readonly recoveryTimeoutMs?: number;
  /** How long to wait between attempts, in milliseconds. @default 100 */
  readonly retryDelayMs?: number;
  /**
   * How long the executor may say nothing, not even answer a ping, before the connection is taken
   * for lost, in milliseconds.
   *
   * @default 15 s
   */
  readonly silenceLimitMs?: number;
  /** Output waiting for a process's consumer, in bytes. @default 4 MiB */
  readonly maxBufferedBytes?: number;
  /**
   * What to do past that: let output go and fetch it again later, which fails when the executor
   * does not retain it any more, or make the executor wait, with all that this client runs there.
   *
   * @default "fetchAgain"
   */
  readonly slowConsumer?: "fetchAgain" | "wait";
  /** Told when the connection has broken and another is being looked for. */
  readonly onInterrupted?: (reason: ConnectionError) => void;
  /** Told the id of a watch of `fs/watchMissing` when it has seen a change; see `call`. */
  readonly onMissingChanged?: (watchId: number) => void;
  /** Told when there is a connection again. */
  readonly onRestored?: () => void;
}

/** What to run. `processId` is made up unless given; `cwd` is a path URI. */
export type StartParams =
  & Omit<ParamsInput<"process/start">, "processId" | "cwd" | "tty">
  & {
    readonly processId?: string;
    readonly cwd: string | PathUri;
    /** @default false */
    readonly tty?: boolean;
  };

/** A response whose body is still coming. */
export interface StreamedResponse {
  /** As the HTTP server gave it: an error of its own is a response, too. */
  readonly status: number;
  /** In the order of the response; a name may come several times. */
  readonly headers: Result<"http/request">["headers"];
  /** Cancelling it ends the request. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What a client does unless told otherwise. */
export const DEFAULTS = {
  clientName: "remex",
  connectTimeoutMs: 10_000,
  recoveryTimeoutMs: 25_000,
  retryDelayMs: 100,
  silenceLimitMs: 15_000,
  maxBufferedBytes: 4 * 1024 * 1024,
  slowConsumer: "fetchAgain",
} as const;
