import { RpcError } from "../../src/protocol/errors.ts";
import { eventually } from "./patience.ts";

/** A request as a scripted executor gets it. */
export interface ScriptedRequest {
  readonly method: string;
  readonly params: Record<string, unknown>;
  readonly connection: ScriptedConnection;
}

/**
 * What an executor answers: a result, or by throwing an {@linkcode RpcError} an error, nothing at
 * all if it is {@linkcode SILENCE}, and the usual if it is undefined.
 */
export type Script = (request: ScriptedRequest) => unknown;

export const SILENCE = Symbol("no answer");

/** The session that every scripted executor gives. */
export const SESSION = { sessionId: "7b0c8c04-1f2e-4f8f-9d64-4a4d8f6f9a11" };

/** What is answered where the script has no answer. */
function usualAnswer({ method, params }: ScriptedRequest): unknown {
  switch (method) {
    case "initialize":
      return SESSION;
    case "process/start":
      return { processId: params.processId, sandboxType: "none" };
    case "process/write":
      return { status: "accepted" };
    case "process/terminate":
      return { running: true };
    case "environment/info":
      return { shell: { name: "sh", path: "/bin/sh" }, cwd: "file:///" };
    default:
      return {};
  }
}

/** One of a scripted executor's connections. */
export class ScriptedConnection {
  /** Counted from 1. */
  readonly number: number;
  readonly #socket: WebSocket;

  constructor(number: number, socket: WebSocket) {
    this.number = number;
    this.#socket = socket;
  }

  notify(method: string, params: unknown): void {
    this.send(JSON.stringify({ method, params }));
  }

  send(frame: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(frame);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }
}

/** Speaks the protocol as a test tells it to, over a real WebSocket. */
export class ScriptedExecutor implements AsyncDisposable {
  /** All requests so far, in the order in which they came. */
  readonly requests: ScriptedRequest[] = [];
  readonly connections: ScriptedConnection[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();

  /**
   * @param script answers requests; what it leaves alone gets the usual answer
   * @param headers sent with the consent to a WebSocket
   */
  constructor(script: Script, headers: Readonly<Record<string, string>> = {}) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, signal: this.#stop.signal, onListen: () => {} },
      (request) => {
        const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
        const connection = new ScriptedConnection(this.connections.length + 1, socket);
        this.connections.push(connection);
        for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
        socket.onmessage = ({ data }) => this.#received(String(data), connection, script);
        return response;
      },
    );
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The methods of all requests of a connection, without those that open it. */
  methods(connection?: number): string[] {
    return this.requests
      .filter((request) => connection === undefined || request.connection.number === connection)
      .map(({ method }) => method)
      .filter((method) => !["initialize", "initialized"].includes(method));
  }

  /** Waits for a request, the first of its kind or a later one. */
  async request(method: string, number = 1): Promise<ScriptedRequest> {
    const found = () => this.requests.filter((request) => request.method === method)[number - 1];
    await eventually(() => found() !== undefined, `request ${number} for ${method}`);
    const request = found();
    if (request === undefined) throw new Error("a request is gone");
    return request;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.close();
    this.#stop.abort();
    await this.#server.finished;
  }

  #received(frame: string, connection: ScriptedConnection, script: Script): void {
    const { id, method, params } = JSON.parse(frame);
    const request = { method, params, connection };
    this.requests.push(request);
    if (id === undefined) return;
    try {
      const result = script(request) ?? usualAnswer(request);
      if (result !== SILENCE) connection.send(JSON.stringify({ id, result }));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const { code, message } = error;
      connection.send(JSON.stringify({ id, error: { code, message } }));
    }
  }
}

/** A `process/output` notification's parameters. */
export function output(seq: number, text: string, processId = "p") {
  return { processId, seq, stream: "stdout", chunk: new TextEncoder().encode(text).toBase64() };
}

/** An answer to `process/read`, of a running process unless told otherwise. */
export function retained(
  chunks: readonly (readonly [seq: number, text: string])[],
  nextSeq: number,
  more: Record<string, unknown> = {},
) {
  return {
    chunks: chunks.map(([seq, text]) => {
      const { stream, chunk } = output(seq, text);
      return { seq, stream, chunk };
    }),
    nextSeq,
    exited: false,
    exitCode: null,
    closed: false,
    failure: null,
    ...more,
  };
}
