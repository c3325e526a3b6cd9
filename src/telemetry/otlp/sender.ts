import { delay } from "@std/async/delay";
import { VERSION } from "../../version.ts";
import { log } from "../../log/log.ts";
import type { OtlpTarget } from "./target.ts";

/** The pause before the first retry, in milliseconds; each further pause is twice as long. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5000;

/** Statuses that ask for a retry (OTLP specification, section "Retryable Response Codes"). */
const PASSING_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const CONTENT_TYPES: Readonly<Record<OtlpTarget["encoding"], string>> = {
  protobuf: "application/x-protobuf",
  json: "application/json",
};

/** The outcome of one attempt. */
type Attempt =
  | { readonly kind: "sent" }
  | {
    readonly kind: "failed";
    /** For logs: without the URL, which may hold a secret, and without the collector's answer. */
    readonly reason: string;
    readonly passing: boolean;
    /** The pause that the collector asks for, in milliseconds. */
    readonly pauseMs?: number | undefined;
  };

/**
 * Sends requests of OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
 *
 * The SDK's own exporters use `node:http`. In Deno, when an answer breaks off, that never settles the
 * export, and throws an error that nobody can catch.
 */
export class OtlpSender {
  readonly #target: OtlpTarget;
  readonly #headers: Headers;
  readonly #client: Deno.HttpClient;
  /** Aborted when there are no more retries. */
  readonly #stopping = new AbortController();
  /** Aborted when requests under way are given up. */
  readonly #abandoned = new AbortController();
  #failing = false;

  constructor(target: OtlpTarget) {
    this.#target = target;
    this.#client = Deno.createHttpClient(target.tls);
    this.#headers = new Headers({ "user-agent": `remex/${VERSION}` });
    target.headers.forEach((value, name) => this.#headers.set(name, value));
    this.#headers.set("content-type", CONTENT_TYPES[target.encoding]);
    if (target.gzip) this.#headers.set("content-encoding", "gzip");
  }

  /** Sends one request, with retries. Returns whether it arrived; never throws. */
  async send(request: Uint8Array): Promise<boolean> {
    const body = await this.#encoded(new Uint8Array(request));
    const deadline = performance.now() + this.#target.timeoutMs;
    for (let pause = FIRST_PAUSE_MS;; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const attempt = await this.#attempt(body, deadline - performance.now());
      this.#tell(attempt);
      if (attempt.kind === "sent") return true;
      const wait = attempt.pauseMs ?? pause * (0.8 + 0.4 * Math.random());
      const inTime = performance.now() + wait < deadline;
      if (!attempt.passing || !inTime || !await this.#waited(wait)) return false;
    }
  }

  /** Ends retries. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Gives up the requests under way. */
  abandon(): void {
    if (this.#abandoned.signal.aborted) return;
    this.stop();
    this.#abandoned.abort();
    this.#client.close();
  }

  async #encoded(bytes: Uint8Array<ArrayBuffer>): Promise<BodyInit> {
    if (!this.#target.gzip) return bytes;
    const compressed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    return await new Response(compressed).bytes();
  }

  async #attempt(body: BodyInit, milliseconds: number): Promise<Attempt> {
    const timeIsUp = AbortSignal.any([
      AbortSignal.timeout(Math.max(1, milliseconds)),
      this.#abandoned.signal,
    ]);
    try {
      const response = await fetch(this.#target.url, {
        method: "POST",
        headers: this.#headers,
        body,
        client: this.#client,
        redirect: "manual",
        signal: timeIsUp,
      });
      await response.body?.cancel();
      if (response.ok) return { kind: "sent" };
      return {
        kind: "failed",
        reason: `status ${response.status}`,
        passing: PASSING_STATUSES.has(response.status),
        pauseMs: retryAfter(response.headers),
      };
    } catch (error) {
      const reason = timeIsUp.aborted ? "no answer in time" : whyUnreachable(error);
      return { kind: "failed", reason, passing: true };
    }
  }

  /** Waits before a retry. Returns false if there are no more retries. */
  async #waited(milliseconds: number): Promise<boolean> {
    const { signal } = this.#stopping;
    await delay(milliseconds, { signal }).catch(() => {});
    return !signal.aborted;
  }

  /** Logs one line when sending begins to fail, and one when it works again. */
  #tell(attempt: Attempt): void {
    const failing = attempt.kind === "failed";
    if (failing === this.#failing) return;
    this.#failing = failing;
    const { signal } = this.#target;
    if (failing) log("warn", "telemetry cannot be sent", { signal, reason: attempt.reason });
    else log("info", "telemetry is sent again", { signal });
  }
}

/** Parts of Deno's messages for failed connections, and what the log says instead. */
const UNREACHABLE = [
  ["peer certificate", "its certificate is not trusted"],
  ["dns error", "no such host"],
  ["Connection refused", "connection refused"],
] as const;

/**
 * The reason of a failed connection, for the log alone: `fetch` gives no code, and its message has the
 * URL, which may hold a secret.
 */
function whyUnreachable(error: unknown): string {
  const words = String(error);
  return UNREACHABLE.find(([sign]) => words.includes(sign))?.[1] ?? "no connection";
}

/** Seconds or a date (RFC 9110, section 10.2.3), in milliseconds from now. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const pause = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(pause) ? undefined : Math.max(0, pause);
}
