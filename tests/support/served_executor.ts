import { startChild } from "../../src/process/start_child.ts";
import { Executor, type ExecutorOptions } from "../../src/server/executor.ts";
import { serveWebSocket, type WebSocketServer } from "../../src/transport/websocket_server.ts";

/** Commands of these tests leave nothing behind. */
const keeper = {
  started: () => {},
  exited: () => {},
  requestEnd: () => {},
  requestEndOf: () => {},
  leftBehind: 0,
  leftBehindOf: () => 0,
  killerOf: () => () => {},
  killAllOf: () => 0,
  killAll: () => Promise.resolve(),
};

/** A real executor in this program, listening on the loopback address. */
export class ServedExecutor implements AsyncDisposable {
  readonly #executor: Executor;
  readonly #server: WebSocketServer;

  private constructor(executor: Executor, server: WebSocketServer) {
    this.#executor = executor;
    this.#server = server;
  }

  static async start(options: Partial<ExecutorOptions> = {}): Promise<ServedExecutor> {
    const executor = new Executor({ startChild, keeper, ...options });
    const server = await serveWebSocket({ kind: "websocket", hostname: "127.0.0.1", port: 0 }, {
      accept: (transport) => {
        executor.serve(transport);
      },
      ready: () => true,
    });
    return new ServedExecutor(executor, server);
  }

  get url(): string {
    return this.#server.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#executor.shutDown(0);
    this.#server.stop();
  }
}
