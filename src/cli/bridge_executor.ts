import type { Connector } from "../client/connector.ts";
import { type ClientTransport, ConnectionError } from "../transport/client_transport.ts";
import { ownCommand } from "../own_program.ts";

/** Connections through other programs break more often, and for longer. */
const SESSION_RETENTION_SECONDS = 600;

/** A client that answers no ping within as long again is taken for gone. */
const PING_INTERVAL_SECONDS = 7.5;

/** An executor that is to be there. */
export interface WantedExecutor {
  /** Of its unix socket. */
  readonly path: string;
  /** How long it may have nothing to do before it ends, in seconds. */
  readonly idleSeconds: number;
  /** Leads to the socket. */
  readonly connector: Connector;
  readonly signal: AbortSignal;
}

/**
 * Connects to an executor on a unix socket, and starts it if nothing listens there. Of several that
 * do so at once, one starts it.
 *
 * @throws {ConnectionError} when it cannot be started, with what it said
 */
export async function reachOrStart(wanted: WantedExecutor): Promise<ClientTransport> {
  const { path, connector, signal } = wanted;
  const running = await reach(connector, signal);
  if (running !== undefined) return running;
  using _lock = await StartLock.take(`${path}.lock`);
  const startedMeanwhile = await reach(connector, signal);
  if (startedMeanwhile !== undefined) return startedMeanwhile;
  await start(wanted);
  return await connector.connect(signal);
}

/** Held by the one of several that starts an executor (flock(2)); its file is gone afterwards. */
class StartLock implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Waits for it. @throws {ConnectionError} if there can be none */
  static async take(path: string): Promise<StartLock> {
    for (;;) {
      const file = await openLock(path);
      await file.lock(true);
      // Whoever had it before has removed the file.
      if (await isAt(path, file)) return new StartLock(path, file);
      file.close();
    }
  }

  [Symbol.dispose](): void {
    using _file = this.#file;
    try {
      Deno.removeSync(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { create: true, write: true, mode: 0o600 });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new ConnectionError("unreachable", `no executor can be started there: ${words}`, {
      cause: error,
    });
  }
}

async function isAt(path: string, file: Deno.FsFile): Promise<boolean> {
  const [opened, named] = await Promise.all([
    file.stat(),
    Deno.lstat(path).catch(() => undefined),
  ]);
  return opened.ino === named?.ino && opened.dev === named?.dev;
}

/** The connection, or undefined where nobody serves. One that shuts down does not, either. */
async function reach(
  connector: Connector,
  signal: AbortSignal,
): Promise<ClientTransport | undefined> {
  try {
    return await connector.connect(signal);
  } catch (error) {
    if (error instanceof ConnectionError && error.code === "unreachable" && !signal.aborted) {
      return undefined;
    }
    throw error;
  }
}

/** Settles when it listens. It has a session of its own (setsid(2)), and outlives this program. */
async function start({ path, idleSeconds }: WantedExecutor): Promise<void> {
  const [program, ...args] = ownCommand();
  const times = [
    ...["--exit-when-idle", String(idleSeconds)],
    ...["--session-retention", String(SESSION_RETENTION_SECONDS)],
    ...["--ping-interval", String(PING_INTERVAL_SECONDS)],
  ];
  const child = new Deno.Command(program, {
    args: [...args, "serve", "--listen", `unix:${path}`, ...times],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  child.unref();
  const said = text(child.stderr);
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  if (done) {
    const words = (await said).trim().replace(/^remex: /, "");
    throw new ConnectionError("unreachable", `the executor did not start: ${words}`);
  }
  // What it logs from now on has no reader once this program has ended.
  said.catch(() => {});
}

async function text(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}
