import { tuneConnectedSockets } from "../../src/transport/socket_options.ts";

/** What a command did, as its notifications told it. */
export interface CommandRecord {
  readonly exitCode: number;
  readonly outputBytes: number;
}

export interface CommandOptions {
  readonly tty?: boolean;
  readonly pipeStdin?: boolean;
  /** The intent to enclose the command by. */
  readonly sandbox?: unknown;
  /** The proxy by which the command reaches others. */
  readonly networkProxy?: unknown;
  /** Called with each chunk of output, in base64. */
  readonly onOutput?: (chunk: string) => void;
  /** Called when the process has exited, with the number of that event. */
  readonly onExited?: (processId: string, seq: number) => void;
  /** Called with the process id once the command runs. */
  readonly onStarted?: (processId: string) => void;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { processId: string; chunk: string; exitCode: number; seq: number };
  readonly result?: unknown;
  readonly error?: { message: string };
}

/** The plainest client that the protocol allows, so that the server is what is measured. */
export class BenchmarkClient {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #listeners = new Map<string, (message: Message) => void>();
  /** How often each method has been called. */
  readonly calls = new Map<string, number>();
  #lastId = 0;
  #lastProcess = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  static async connect(url: string): Promise<BenchmarkClient> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
    });
    tuneConnectedSockets(Number(new URL(url).port));
    const client = new BenchmarkClient(socket);
    await client.call("initialize", { clientName: "bench" });
    socket.send('{"method":"initialized"}');
    return client;
  }

  call(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#lastId;
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => {
      this.#answers.set(
        id,
        ({ result, error }) =>
          error === undefined ? resolve(result) : reject(new Error(`${method}: ${error.message}`)),
      );
    });
  }

  /** Runs a command until it is closed. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandRecord> {
    const processId = `bench-${++this.#lastProcess}`;
    return new Promise((resolve, reject) => {
      let exitCode = -1;
      let outputBytes = 0;
      this.#listeners.set(processId, ({ method, params }) => {
        if (method === "process/output" && params !== undefined) {
          outputBytes += base64Bytes(params.chunk);
          options.onOutput?.(params.chunk);
        } else if (method === "process/exited" && params !== undefined) {
          exitCode = params.exitCode;
          options.onExited?.(processId, params.seq);
        } else if (method === "process/closed") {
          this.#listeners.delete(processId);
          resolve({ exitCode, outputBytes });
        }
      });
      this.call("process/start", {
        processId,
        argv,
        cwd: "file:///",
        env: { PATH: "/usr/bin:/bin" },
        tty: options.tty ?? false,
        pipeStdin: options.pipeStdin ?? false,
        sandbox: options.sandbox,
        networkProxy: options.networkProxy,
      }).then(() => options.onStarted?.(processId), reject);
    });
  }

  close(): void {
    this.#socket.close();
  }

  #receive(message: Message): void {
    if (message.id !== undefined) {
      this.#answers.get(message.id)?.(message);
      this.#answers.delete(message.id);
    } else if (message.params !== undefined) {
      this.#listeners.get(message.params.processId)?.(message);
    }
  }
}

function base64Bytes(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return text.length / 4 * 3 - padding;
}
