import { FileHandles } from "../filesystem/file_handles.ts";
import { MissingWatch } from "../filesystem/missing_watch.ts";
import { PathChanges } from "../filesystem/path_changes.ts";
import { errorFields, log } from "../log/log.ts";
import { TcpConnections } from "../net/tcp_connections.ts";
import type { Quota } from "../process/quota.ts";
import {
  encodeError,
  encodeNotification,
  encodeResult,
  type Message,
  parseMessage,
  type RequestId,
  UNKNOWN_REQUEST_ID,
} from "../protocol/envelope.ts";
import { ErrorCode, internalError, invalidRequest, RpcError } from "../protocol/errors.ts";
import type { JsonLimits } from "../protocol/json.ts";
import type { EnvironmentInfo } from "../protocol/lifecycle.ts";
import { isMethod, methods } from "../protocol/methods.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type EndReason, MAX_MESSAGE_BYTES, type Transport } from "../transport/transport.ts";
import { HttpTraffic } from "./handlers/http.ts";
import type { MemoryTrimmer } from "./memory_trimmer.ts";
import { parseParams, type RequestHandler } from "./request_handler.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { Turns } from "./turns.ts";

/** What the executor gives each connection. */
export interface ConnectionOptions {
  readonly sessions: Sessions;
  readonly handlers: ReadonlyMap<string, RequestHandler>;
  readonly environmentInfo: () => EnvironmentInfo;
  /** Requests that are handled at the same time. */
  readonly concurrentRequests: number;
  /** Bytes of messages that may wait or be handled, of all connections together. */
  readonly messageBytes: Quota;
  /** Gets the sizes of large messages. */
  readonly trimmer: MemoryTrimmer;
  readonly telemetry: Telemetry;
}

type Request = Extract<Message, { kind: "request" }>;

/**
 * Limits on a message of more than 64 KiB. The depth is the reference executor's. The number of values
 * bounds the time that parsing takes; a command has a few thousand arguments and variables at most.
 */
const REQUEST_LIMITS: JsonLimits = { depth: 128, values: 100_000 };

const TOO_MUCH =
  "this executor works on as much as its memory allows (--memory-budget); try again later";

/** One for all: it takes as long to make as a short request. */
const ENDED = invalidRequest("the connection has ended");

/** Length, in UTF-16 units, past which a message counts against the memory for messages. */
const LARGE_MESSAGE = 64 * 1024;

/** Requests of one connection that may transfer file contents at the same time. */
const HEAVY_REQUESTS_AT_ONCE = 4;

/**
 * One client's connection: it takes requests and answers each when its result is ready.
 *
 * Handlers start in the order of the requests and run up to their first wait, which keeps writes to a
 * process in order; changes of one path wait for each other. Otherwise requests run concurrently, up to
 * a limit.
 */
export class Connection {
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #ended = new AbortController();
  readonly #files = new FileHandles();
  readonly #changes = new PathChanges();
  readonly #tcp = new TcpConnections();
  readonly #missing: MissingWatch;
  readonly #turns: Turns;
  readonly #http: HttpTraffic;
  /** Frames that wait until the client has read earlier answers or fewer requests are handled. */
  readonly #backlog: string[] = [];
  #backlogBytes = 0;
  #largestMessage = 0;
  /** How many requests are being handled. */
  #inFlight = 0;
  #session: Session | undefined;
  #initialized = false;

  constructor(transport: Transport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#missing = new MissingWatch((watchId) =>
      transport.send(encodeNotification("fs/missingChanged", { watchId }))
    );
    this.#turns = new Turns(HEAVY_REQUESTS_AT_ONCE, () => transport.saturated);
    this.#http = new HttpTraffic(transport);
  }

  /** Serves the connection. Settles with the reason when it has ended. */
  run(): Promise<EndReason> {
    return new Promise((resolve) => {
      this.#transport.open({
        message: (frame) => this.#receive(frame),
        unreadable: (reason) => this.#refuse(reason),
        drained: () => this.#drained(),
        closed: (reason) => {
          this.#close();
          resolve(reason);
        },
      });
    });
  }

  #receive(frame: string): void {
    if (frame.length > this.#largestMessage) this.#largestMessage = frame.length;
    if (this.#busy || this.#backlog.length > 0) return this.#postpone(frame);
    this.#handle(frame);
  }

  get #busy(): boolean {
    return this.#transport.saturated || this.#inFlight >= this.#options.concurrentRequests;
  }

  #postpone(frame: string): void {
    const fits = this.#backlogBytes + frame.length <= MAX_MESSAGE_BYTES;
    if (fits && this.#options.messageBytes.take(frame.length)) {
      this.#backlog.push(frame);
      this.#backlogBytes += frame.length;
      return;
    }
    this.#dropBacklog();
    this.#transport.close({
      kind: "overload",
      message: this.#transport.saturated
        ? "the client sends requests without reading answers"
        : "the client sends more requests than can wait for their turn",
    });
  }

  #dropBacklog(): void {
    this.#options.messageBytes.give(this.#backlogBytes);
    this.#backlogBytes = 0;
    this.#backlog.length = 0;
  }

  #drained(): void {
    this.#session?.resume();
    this.#turns.proceed();
    this.#http.proceed();
    this.#handleBacklog();
  }

  #handleBacklog(): void {
    let handled = 0;
    for (const frame of this.#backlog) {
      if (this.#busy) break;
      handled++;
      this.#options.messageBytes.give(frame.length);
      this.#backlogBytes -= frame.length;
      this.#handle(frame);
    }
    this.#backlog.splice(0, handled);
  }

  #handle(frame: string): void {
    const message = parseMessage(frame, REQUEST_LIMITS);
    switch (message.kind) {
      case "request":
        return this.#answer(message, frame.length);
      case "notification":
        return this.#notified(message);
      case "malformed":
        return this.#refuse(message.reason, message.id);
      case "result":
        return this.#answered(message.id, message.result);
      case "error":
        return this.#answered(message.id, undefined);
    }
  }

  /** Answers a malformed message, under its id if that can be told. */
  #refuse(reason: string, id: RequestId = UNKNOWN_REQUEST_ID): void {
    this.#fail(id, invalidRequest(`malformed message: ${reason}`));
  }

  /** A client is asked about its commands' network, and nothing else. */
  #answered(id: RequestId, result: unknown): void {
    if (this.#session?.questions.answered(id, result) === true) return;
    this.#violation("a response to a request that this executor has not made");
  }

  #notified({ method, params }: Extract<Message, { kind: "notification" }>): void {
    if (method === "network/policyDecision" && this.#session !== undefined) {
      return this.#session.questions.notified(params);
    }
    if (method !== "initialized") {
      return this.#violation("an unknown notification", `unknown notification ${method}`);
    }
    if (this.#session === undefined) return this.#violation("initialized before initialize");
    this.#initialized = true;
  }

  /** @param message the reason for the client: unlike the log it may repeat what the client sent */
  #violation(reason: string, message = reason): void {
    log("info", "client broke the protocol", { reason });
    this.#transport.close({ kind: "protocolError", message });
  }

  /**
   * Runs a request's handler, and sends the answer when it is there.
   *
   * @param size length of the message, in UTF-16 units
   */
  #answer({ id, method, params, trace }: Request, size: number): void {
    const known = isMethod(method) ? method : "unknown";
    const end = this.#options.telemetry.requestStarted(known, trace);
    const succeed = (result: unknown) => {
      const answer = encodeResult(id, result);
      this.#transport.send(answer);
      if (answer.length > LARGE_MESSAGE) this.#options.trimmer.used(answer.length);
      end("success");
    };
    const fail = (error: unknown) => {
      end(this.#ended.signal.aborted ? "cancelled" : "error");
      if (!(error instanceof RpcError)) this.#unexpected(known, error);
      this.#fail(id, error);
    };
    const taken = size > LARGE_MESSAGE ? size : 0;
    if (!this.#options.messageBytes.take(taken)) return fail(internalError(TOO_MUCH));
    try {
      const result = method === "initialize"
        ? this.#initialize(params)
        : this.#call(method, params);
      if (result instanceof Promise) {
        this.#inFlight++;
        result.then(succeed).catch(fail).finally(() => this.#settled(taken));
        return;
      }
      succeed(result);
    } catch (error) {
      fail(error);
    }
    this.#giveBack(taken);
  }

  #giveBack(taken: number): void {
    if (taken === 0) return;
    this.#options.messageBytes.give(taken);
    this.#options.trimmer.used(taken);
  }

  #settled(taken: number): void {
    this.#giveBack(taken);
    this.#inFlight--;
    if (this.#backlog.length > 0) this.#handleBacklog();
  }

  #initialize(raw: unknown): unknown {
    const { resumeSessionId, takeOver, ...asked } = parseParams(methods.initialize.params, raw);
    if (this.#session !== undefined) {
      throw invalidRequest("initialize may only be sent once per connection");
    }
    const { sessions, environmentInfo } = this.#options;
    this.#session = resumeSessionId === undefined
      ? sessions.open(this.#transport)
      : sessions.resume(resumeSessionId, this.#transport, takeOver);
    const granted = sessions.retain(this.#session, asked);
    return { sessionId: this.#session.id, environmentInfo: environmentInfo(), ...granted };
  }

  #call(method: string, raw: unknown): unknown {
    const handler = this.#options.handlers.get(method);
    if (handler === undefined) {
      throw new RpcError(ErrorCode.MethodNotFound, `unknown method ${method}`);
    }
    const call = handler.prepare(raw);
    if (this.#session === undefined || !this.#initialized) {
      const missing = this.#session === undefined ? "call initialize" : "send initialized";
      throw invalidRequest(`client must ${missing} before using ${handler.family} methods`);
    }
    const own = this.#session;
    return call({
      session: own,
      sessionOf: (id) => id === undefined ? own : this.#options.sessions.find(id),
      files: this.#files,
      missing: this.#missing,
      turns: this.#turns,
      changes: this.#changes,
      http: this.#http,
      tcp: this.#tcp,
      signal: this.#ended.signal,
    });
  }

  #unexpected(method: string, error: unknown): void {
    if (this.#ended.signal.aborted) return;
    log("error", "a request failed unexpectedly", { method, ...errorFields(error) });
  }

  #fail(id: RequestId, error: unknown): void {
    if (error instanceof RpcError) {
      const { code, message, data } = error;
      const body = { code, message, ...data === undefined ? {} : { data } };
      return this.#transport.send(encodeError(id, body));
    }
    const message = error instanceof Error ? error.message : String(error);
    this.#transport.send(encodeError(id, { code: ErrorCode.Internal, message }));
  }

  #close(): void {
    this.#dropBacklog();
    // The runtime has kept a buffer for the largest message until now.
    this.#options.trimmer.used(this.#largestMessage);
    void this.#files[Symbol.asyncDispose]();
    this.#tcp[Symbol.dispose]();
    this.#missing[Symbol.dispose]();
    this.#ended.abort(ENDED);
    // What waited for the client to read waits no longer: it holds files.
    this.#turns.proceed();
    this.#http.proceed();
    if (this.#session !== undefined) this.#options.sessions.detach(this.#session, this.#transport);
  }
}
