import { type Transport } from "../../src/transport/transport.ts";
import { serveWebSocket, type WebSocketServer } from "../../src/transport/websocket_server.ts";
import { eventually } from "../support/patience.ts";
import { RecordedObserver } from "../support/recorded_observer.ts";

/** A connection that a test server has accepted. */
export interface Accepted {
  readonly transport: Transport;
  readonly observer: RecordedObserver;
}

/** The real server on loopback, with the accepted connections in the test's hands. */
export class TestServer {
  readonly accepted: Accepted[] = [];
  ready = true;
  #server: WebSocketServer | undefined;

  static async start(): Promise<TestServer> {
    const test = new TestServer();
    test.#server = await serveWebSocket({ kind: "websocket", hostname: "127.0.0.1", port: 0 }, {
      accept(transport) {
        const observer = new RecordedObserver();
        transport.open(observer);
        test.accepted.push({ transport, observer });
      },
      ready: () => test.ready,
    });
    return test;
  }

  get url(): string {
    return this.#server?.url ?? "";
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  stop(): void {
    this.#server?.stop();
  }

  /** The connection that was accepted last. */
  async newest(): Promise<Accepted> {
    await eventually(() => this.accepted.length > 0, "a connection");
    const newest = this.accepted.at(-1);
    if (newest === undefined) throw new Error("no connection");
    return newest;
  }

  /** Closes what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { transport } of this.accepted) transport.close({ kind: "shutdown", message: "" });
    this.stop();
    await Promise.all(this.accepted.map(({ observer }) => observer.over));
    await Promise.all(this.accepted.map(({ transport }) => transport.flushed()));
  }
}

/** An open WebSocket connection. */
export async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onerror = () => opened.reject(new Error(`cannot connect to ${url}`));
  await opened.promise;
  return socket;
}

/** How the other side closed a connection. */
export function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
}
