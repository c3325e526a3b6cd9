/**
 * What the library uses of Deno, made of what Node has: the npm package has these functions instead.
 * They do what Deno documents, as far as the library relies on it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import net from "node:net";
import { constants } from "node:os";
import process from "node:process";
import type { Writable } from "node:stream";
import tls from "node:tls";

/** Errors that callers tell apart. */
export const errors = {
  InvalidData: class InvalidData extends Error {},
  NotCapable: class NotCapable extends Error {},
  NotFound: class NotFound extends Error {},
};

/** This system, in Deno's words. */
export const buildOs: string = process.platform === "win32" ? "windows" : process.platform;

/** Memory of this program. */
export const memoryUsage: typeof process.memoryUsage = process.memoryUsage;

/** Lets the program end while a timer runs. */
export function unrefTimer(timer: { unref(): void }): void {
  timer.unref();
}

/** A socket that is read and written when somebody asks for it. */
class Connection {
  readonly socket: net.Socket;
  #failure: Error | undefined;
  #changed = withResolvers<void>();

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("error", (error) => this.#failure ??= error);
    for (const event of ["readable", "end", "error", "close"]) {
      socket.on(event, () => {
        this.#changed.resolve();
        this.#changed = withResolvers();
      });
    }
  }

  /** Reads up to as many bytes as there is room for. Gives their number, or null at the end. */
  async read(target: Uint8Array): Promise<number | null> {
    for (;;) {
      const change = this.#changed.promise;
      const wanted = Math.min(this.socket.readableLength, target.length);
      // Asking for nothing makes the stream notice its end.
      const chunk: Uint8Array | null = this.socket.read(wanted);
      if (chunk !== null && chunk.length > 0) {
        target.set(chunk);
        return chunk.length;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.socket.readableEnded) return null;
      if (this.socket.destroyed) throw new Error("the connection was closed");
      await change;
    }
  }

  /** Writes all of the bytes. Gives their number. */
  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  close(): void {
    this.socket.destroy();
  }

  setNoDelay(): void {
    this.socket.setNoDelay(true);
  }

  setKeepAlive(): void {
    this.socket.setKeepAlive(true);
  }
}

/** Where to connect to. */
type ConnectOptions =
  | { readonly hostname: string; readonly port: number; readonly signal?: AbortSignal }
  | { readonly transport: "unix"; readonly path: string };

/** Connects to an address, or a unix socket. */
export function connect(options: ConnectOptions): Promise<Connection> {
  const signal = "signal" in options ? options.signal : undefined;
  const { promise, resolve, reject } = withResolvers<Connection>();
  const socket = "path" in options
    ? net.connect({ path: options.path })
    : net.connect({ host: options.hostname, port: options.port });
  const abort = () => {
    socket.destroy();
    reject(signal?.reason);
  };
  const settled = () => signal?.removeEventListener("abort", abort);
  socket.once("error", (error) => {
    settled();
    reject(error);
  });
  socket.once("connect", () => {
    settled();
    resolve(new Connection(socket));
  });
  if (signal?.aborted === true) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return promise;
}

/** Whom to trust about a server, and what to speak with it. */
interface StartTlsOptions {
  readonly hostname: string;
  readonly alpnProtocols: string[];
  readonly caCerts: readonly string[];
}

/** Encrypts a connection. */
export function startTls(
  { socket }: Connection,
  { hostname, alpnProtocols, caCerts }: StartTlsOptions,
): Promise<TlsConnection> {
  const secured = tls.connect({
    socket,
    host: hostname,
    ALPNProtocols: alpnProtocols,
    ...net.isIP(hostname) === 0 ? { servername: hostname } : {},
    ...caCerts.length === 0 ? {} : { ca: [...tls.rootCertificates, ...caCerts] },
  });
  return Promise.resolve(new TlsConnection(secured));
}

class TlsConnection extends Connection {
  readonly #secured: Promise<void>;

  constructor(socket: tls.TLSSocket) {
    super(socket);
    this.#secured = new Promise((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", (error) => reject(isOfSystem(error) ? error : refusedBy(error)));
      socket.once("close", () => reject(new Error("the connection was closed")));
    });
    this.#secured.catch(() => {});
  }

  /** Settles when the connection is encrypted and the server is who it should be. */
  handshake(): Promise<void> {
    return this.#secured;
  }
}

/** Whether an error is about the connection, and not about encryption or certificates. */
function isOfSystem(error: Error): boolean {
  return "code" in error && typeof error.code === "string" &&
    Object.hasOwn(constants.errno, error.code);
}

function refusedBy(cause: Error): Error {
  return new errors.InvalidData(cause.message, { cause });
}

/** How a program is started. */
interface CommandOptions {
  readonly args: readonly string[];
  readonly stderr: "inherit" | "null";
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How a program ended. */
interface CommandStatus {
  readonly success: boolean;
  readonly code: number;
  readonly signal: string | null;
}

/** A program to start, in a session of its own, with pipes. */
export class Command {
  readonly #program: string;
  readonly #options: CommandOptions;

  constructor(program: string, options: CommandOptions) {
    this.#program = program;
    this.#options = options;
  }

  spawn(): Child {
    const { args, stderr, env, cwd } = this.#options;
    const child = spawn(this.#program, args, {
      stdio: ["pipe", "pipe", stderr === "null" ? "ignore" : "inherit"],
      detached: true,
      ...cwd === undefined ? {} : { cwd },
      ...env === undefined ? {} : { env: { ...process.env, ...env } },
    });
    const { stdin, stdout, pid } = child;
    const status = statusOf(child);
    if (pid === undefined || stdin === null || stdout === null) {
      // Why is told later than callers can wait for it.
      status.catch(() => {});
      throw new errors.NotFound("it is not there, or cannot be executed");
    }
    return {
      pid,
      status,
      stdin: writableOf(stdin),
      stdout: ReadableStream.from(stdout),
      kill: (signal) => void child.kill(signal),
    };
  }
}

interface Child {
  readonly pid: number;
  readonly status: Promise<CommandStatus>;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  kill(signal: NodeJS.Signals): void;
}

function statusOf(child: ChildProcess): Promise<CommandStatus> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      const number = signal === null ? code ?? 0 : 128 + constants.signals[signal];
      resolve({ success: number === 0, code: number, signal });
    });
  });
}

function writableOf(stream: Writable): WritableStream<Uint8Array> {
  // A write that fails tells so itself.
  stream.on("error", () => {});
  return new WritableStream({
    write: (chunk) =>
      new Promise((resolve, reject) => {
        stream.write(chunk, (error) => error ? reject(error) : resolve());
      }),
    close: () => new Promise((resolve) => stream.end(() => resolve())),
    abort: () => void stream.destroy(),
  });
}

/** `Promise.withResolvers`, which Node has from version 22 on. */
export function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: PromiseWithResolvers<T>["resolve"] = () => {};
  let reject: PromiseWithResolvers<T>["reject"] = () => {};
  const promise = new Promise<T>((...settlers) => [resolve, reject] = settlers);
  return { promise, resolve, reject };
}

/** `URL.parse`, which Node has from version 22 on. */
export function parseUrl(url: string | URL, base?: string | URL): URL | null {
  return URL.canParse(String(url), base === undefined ? undefined : String(base))
    ? new URL(url, base)
    : null;
}
