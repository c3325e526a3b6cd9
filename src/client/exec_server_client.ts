import { abortable } from "@std/async/abortable";
import type { JsonParts } from "../protocol/envelope.ts";
import { invalidRequest } from "../protocol/errors.ts";
import type { Method, ParamsInput, Result } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { pathUriSchema } from "../protocol/schema_parts.ts";
import { ConnectionError } from "../transport/client_transport.ts";
import {
  type ClientOptions,
  DEFAULTS,
  type StartParams,
  type StreamedResponse,
} from "./client_options.ts";
import { connectorFor, type Endpoint } from "./connector.ts";
import type { ExecProcess } from "./exec_process.ts";
import { IncomingBodies } from "./incoming_bodies.ts";
import { LastWords } from "./last_words.ts";
import { RemoteTcpConnection } from "./remote_tcp.ts";
import { type EventOptions, RemoteProcess } from "./remote_process.ts";
import type { ExecutorNotification, RpcConnection } from "./rpc_connection.ts";
import { SessionLink } from "./session_link.ts";

/**
 * A session with an executor.
 *
 * When the connection breaks the client reconnects. Processes and their output survive that, and calls
 * made meanwhile wait. A call that had no answer yet rejects, since the executor may have carried it
 * out; only input is repeated, which the executor recognises.
 *
 * @example
 * ```ts
 * await using client = await ExecServerClient.connect("ws://127.0.0.1:7777");
 * const process = await client.start({ argv: ["uname", "-a"], cwd: "file:///", env: {} });
 * const { exitCode } = await process.completion;
 * ```
 */
export class ExecServerClient implements AsyncDisposable {
  readonly #options: ClientOptions;
  readonly #eventOptions: EventOptions;
  readonly #link: SessionLink;
  readonly #processes = new Map<string, RemoteProcess>();
  readonly #starts = new Set<Promise<ExecProcess>>();
  /** Ids whose start had no answer; a process that was started nevertheless is terminated. */
  readonly #lostStarts = new Set<string>();
  readonly #bodies = new IncomingBodies();
  readonly #holding = new Set<RemoteProcess>();
  /** Undefined until the client closes. */
  #lastWords: LastWords | undefined;
  /** Whether the executor can be told that a session is over. */
  #endsSessions = false;

  private constructor(endpoint: Endpoint, options: ClientOptions) {
    const settings = { ...DEFAULTS, ...options };
    const { token, caCerts } = options;
    const { silenceLimitMs } = settings;
    const connector = connectorFor(endpoint, { token, caCerts, silenceLimitMs });
    this.#options = options;
    this.#eventOptions = settings;
    this.#link = new SessionLink({ ...settings, connector }, {
      notified: (notification) => this.#notified(notification),
      interrupted: (reason) => this.#interrupted(reason),
      replay: (connection) => this.#replay(connection),
      restored: (connection) => this.#restored(connection),
      ended: (reason) => this.#ended(reason),
    });
  }

  /**
   * Opens a session with an executor.
   *
   * @param endpoint `ws://HOST:PORT`, `wss://…`, `unix:PATH`, or a command that starts an executor on
   * its standard input and output
   * @throws {TypeError} for text that is no endpoint
   * @throws {ConnectionError} when the executor gives no session
   * @throws the reason of the signal, if there is one that aborts first
   */
  static async connect(endpoint: Endpoint, options: ClientOptions = {}): Promise<ExecServerClient> {
    const client = new ExecServerClient(endpoint, options);
    const { signal, pipelined = false } = options;
    await client.#link.open(signal);
    client.opened.then(({ environmentInfo }) => {
      client.#endsSessions = environmentInfo?.capabilities?.sessionEnd === true;
    }, () => {});
    if (!pipelined) await client.#openedUnless(signal);
    return client;
  }

  /** Settles when the executor has given a session. @throws {ConnectionError} when it does not */
  get opened(): Promise<Result<"initialize">> {
    return this.#link.opened;
  }

  /** The state of the session; a client that is recovering has lost its connection for now. */
  get state(): "connecting" | "connected" | "recovering" | "ended" {
    return this.#link.state;
  }

  /**
   * Starts a command. Settles when it is running.
   *
   * @throws {RpcError} when the executor refuses or the command cannot be started
   * @throws {ConnectionError} when the connection is lost before the answer; if the command was started
   * nevertheless, it is terminated after the reconnect
   */
  start(params: StartParams): Promise<ExecProcess> {
    const processId = params.processId ?? crypto.randomUUID();
    return this.#link.use((connection) => {
      const start = this.#start(connection, { tty: false, ...params, processId });
      this.#starts.add(start);
      const over = () => this.#starts.delete(start);
      start.then(over, over);
      return start;
    });
  }

  /**
   * Makes any other request.
   *
   * @param params also as the JSON that they are on the wire, which is not looked at
   * @throws {RpcError} what the executor answered
   * @throws {ConnectionError} when the connection is lost before the answer, or there is no session
   */
  call<M extends Exclude<Method, "initialize" | "process/start">>(
    method: M,
    params: ParamsInput<M> | JsonParts,
  ): Promise<Result<M>> {
    return this.#link.use((connection) => connection.call(method, params));
  }

  /** Describes the executor's machine. */
  environmentInfo(): Promise<Result<"environment/info">> {
    return this.call("environment/info", {});
  }

  /**
   * The executor's working directory; undefined if it has none. An executor that announced it with the
   * connection is not asked again.
   */
  async executorCwd(): Promise<PathUri | undefined> {
    const told = parsedCwd(this.#link.connection?.executorCwd);
    if (told !== undefined) return told;
    const { environmentInfo } = await this.opened;
    return (environmentInfo ?? await this.environmentInfo()).cwd;
  }

  /** Makes an HTTP request from the executor's machine, and streams the body of the response. */
  streamHttp(
    request: Omit<ParamsInput<"http/request">, "requestId" | "streamResponse">,
  ): Promise<StreamedResponse> {
    const requestId = crypto.randomUUID();
    return this.#link.use(async (connection) => {
      const body = this.#bodies.open(requestId);
      try {
        const params = { ...request, requestId, streamResponse: true };
        const { status, headers } = await connection.call("http/request", params);
        return { status, headers, body };
      } catch (error) {
        this.#bodies.forget(requestId);
        throw error;
      }
    });
  }

  /**
   * Connects to a port of the loopback address of the executor's machine.
   *
   * @throws {RpcError} when nothing listens there, or the executor does not allow it
   * @throws {ConnectionError} when the executor is lost; connections end with the client's own
   */
  connectTcp(port: number): Promise<RemoteTcpConnection> {
    return this.#link.use((connection) => RemoteTcpConnection.connect(connection, port));
  }

  /**
   * Follows a process of the session that another client has started, as this session was resumed.
   * It runs on if this client loses track of it.
   *
   * @param processId the id that it was started under
   * @param afterSeq the sequence number of the last event that is known already. @default 0
   * @throws {RpcError} -32600 when the executor does not know it
   * @throws {ProcessError} when events after that number are no longer retained
   * @throws {ConnectionError} when the connection is lost before the answer
   */
  adopt(processId: string, afterSeq: number = 0): Promise<ExecProcess> {
    return this.#link.use(async (connection) => {
      if (this.#processes.has(processId)) {
        throw invalidRequest(`process ${processId} is followed already`);
      }
      const process = this.#newProcess(processId, afterSeq);
      this.#processes.set(processId, process);
      try {
        await process.adopt(connection);
        return process;
      } catch (error) {
        this.#forget(process);
        throw error;
      }
    });
  }

  /**
   * Ends the connection, and leaves the session and its processes as they are: whoever has its id can
   * resume it for as long as the executor keeps it. Settles when everything has been sent.
   */
  async detach(): Promise<void> {
    await this.#link.end(new ConnectionError("closed", "the client has left the session"));
  }

  /**
   * Terminates all processes and ends the session. Settles when the requests have been sent, and heard
   * if the executor may be telling something just then.
   */
  async close(): Promise<void> {
    const reason = new ConnectionError("closed", "the client was closed");
    const { latest } = this.#link;
    if (latest !== undefined) {
      this.#lastWords = new LastWords(latest, [...this.#processes.keys()], this.#endsSessions);
    }
    this.#fail(reason);
    await this.#lastWords?.heard();
    await this.#link.end(reason);
  }

  /** The same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Settles when there is a session. A client that is not wanted any more closes. */
  async #openedUnless(signal: AbortSignal | undefined): Promise<void> {
    if (signal === undefined) return void await this.opened;
    try {
      await abortable(this.opened, signal);
    } catch (error) {
      void this.#link.end(new ConnectionError("closed", "the client has stopped waiting"));
      throw error;
    }
  }

  async #start(
    connection: RpcConnection,
    params: StartParams & { readonly processId: string; readonly tty: boolean },
  ): Promise<ExecProcess> {
    const { processId } = params;
    if (this.#processes.has(processId)) {
      throw invalidRequest(`process ${processId} already exists`);
    }
    const process = this.#newProcess(processId);
    this.#processes.set(processId, process);
    try {
      const cwd = params.cwd.toString();
      const { sandboxType } = await connection.call("process/start", { ...params, cwd });
      process.started(sandboxType, connection);
      return process;
    } catch (error) {
      this.#forget(process);
      if (error instanceof ConnectionError) this.#lostStarts.add(processId);
      throw error;
    }
  }

  #newProcess(processId: string, adoptedAfter?: number): RemoteProcess {
    return new RemoteProcess(
      processId,
      {
        use: (action) => this.#link.use(action),
        finished: (process) => this.#forget(process),
        hold: (process) => this.#hold(process),
        release: (process) => this.#release(process),
      },
      this.#eventOptions,
      adoptedAfter,
    );
  }

  /** Removes a process, unless its id is another process's by now. */
  #forget(process: RemoteProcess): void {
    if (this.#processes.get(process.processId) === process) {
      this.#processes.delete(process.processId);
    }
    this.#release(process);
  }

  #hold(process: RemoteProcess): void {
    this.#holding.add(process);
    this.#link.connection?.hold();
  }

  #release(process: RemoteProcess): void {
    if (this.#holding.delete(process) && this.#holding.size === 0) {
      this.#link.connection?.release();
    }
  }

  #notified(notification: ExecutorNotification): void {
    switch (notification.method) {
      case "http/request/bodyDelta":
        return this.#bodies.notified(notification.params);
      case "session/takenOver":
        void this.#link.end(
          new ConnectionError("sessionTakenOver", "another client has taken over the session"),
        );
        return;
      case "fs/missingChanged":
        return this.#options.onMissingChanged?.(notification.params.watchId);
      case "process/closed":
        this.#lastWords?.closed(notification.params.processId);
        // falls through
      default:
        this.#processes.get(notification.params.processId)?.notified(notification);
    }
  }

  #interrupted(reason: ConnectionError): void {
    for (const process of this.#processes.values()) process.interrupted();
    this.#bodies.fail(reason);
    this.#options.onInterrupted?.(reason);
  }

  async #replay(connection: RpcConnection): Promise<void> {
    await Promise.allSettled(this.#starts);
    await Promise.all([
      ...[...this.#lostStarts].map((processId) => this.#clearAway(processId, connection)),
      ...[...this.#processes.values()].map((process) => process.replay(connection)),
    ]);
  }

  async #clearAway(processId: string, connection: RpcConnection): Promise<void> {
    await connection.call("process/terminate", { processId });
    this.#lostStarts.delete(processId);
  }

  #restored(connection: RpcConnection): void {
    if (this.#holding.size > 0) connection.hold();
    for (const process of this.#processes.values()) process.restored(connection);
    this.#options.onRestored?.();
  }

  #ended(reason: ConnectionError): void {
    this.#fail(reason);
    this.#options.onEnded?.(reason);
  }

  #fail(reason: ConnectionError): void {
    for (const process of [...this.#processes.values()]) process.fail(reason);
    this.#bodies.fail(reason);
  }
}

/** The announced directory; undefined if it is not a valid path URI. */
function parsedCwd(told: string | undefined): PathUri | undefined {
  const parsed = pathUriSchema.safeParse(told);
  return parsed.success ? parsed.data : undefined;
}
