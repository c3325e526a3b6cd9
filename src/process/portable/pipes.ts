import type { ChildCommand, WriteOutcome } from "../child.ts";
import type { ChildInput, ChildOutput, OutputObserver, StartedProcess } from "./child.ts";
import { type Launch, launchNamed, locateExecutable } from "./launcher.ts";
import { isAbsolute } from "@std/path/posix";

/** Starts a command with pipes for its output and, if asked for, its input. @throws {Error} */
export function startOnPipes(command: ChildCommand, stdin: "pipe" | "empty"): StartedProcess {
  const { file, args, env } = launchOf(command);
  const child = new Deno.Command(file, {
    args: [...args],
    cwd: command.cwd,
    env: { ...env },
    clearEnv: true,
    detached: true,
    stdin: stdin === "pipe" ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return {
    pid: child.pid,
    exit: child.status.then(({ code }) => code),
    input: stdin === "pipe" ? new PipeInput(child.stdin) : undefined,
    outputs: [
      { stream: "stdout", open: (observer) => new PipeOutput(child.stdout, observer) },
      { stream: "stderr", open: (observer) => new PipeOutput(child.stderr, observer) },
    ],
  };
}

/** The launch of a command; the runtime sets argv[0] to the file, so another one needs perl. */
function launchOf(command: ChildCommand): Launch {
  const { argv: [name = "", ...args], arg0 = name, env } = command;
  if (Deno.build.os === "windows") return { file: name, args, env };
  const file = locateExecutable(command);
  const launch = { file, args, env };
  return file === arg0 && isAbsolute(file) ? launch : launchNamed(launch, arg0);
}

/** Writes to a pipe. */
class PipeInput implements ChildInput {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #closed = Promise.withResolvers<WriteOutcome>();
  #open = true;

  constructor(stream: WritableStream<Uint8Array<ArrayBuffer>>) {
    this.#writer = stream.getWriter();
    // Each write reports its own failure.
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    if (!this.#open) return Promise.resolve("closed");
    return Promise.race([this.#write(bytes), this.#closed.promise]);
  }

  end(): void {
    this.#open = false;
    this.#writer.close().catch(() => {});
  }

  close(): void {
    this.#open = false;
    this.#closed.resolve("closed");
    this.#writer.abort().catch(() => {});
  }

  /** A write to the runtime's stream that fails still resolves; the stream is then in error. */
  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    try {
      await this.#writer.write(bytes);
      return this.#writer.desiredSize === null ? "closed" : "written";
    } catch {
      return "closed";
    }
  }
}

/** Reads a pipe, one piece at a time; after a pause at most one more piece is read. */
class PipeOutput implements ChildOutput {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #observer: OutputObserver;
  #resumed = Promise.withResolvers<void>();
  #paused = true;
  #closed = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, observer: OutputObserver) {
    this.#reader = stream.getReader();
    this.#observer = observer;
    this.#read();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#resumed = Promise.withResolvers();
  }

  resume(): void {
    this.#paused = false;
    this.#resumed.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.resume();
    this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    while (!this.#closed) {
      const bytes = await this.#next();
      while (this.#paused) await this.#resumed.promise;
      if (this.#closed) return;
      if (bytes === undefined) break;
      this.#observer.bytes(bytes);
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#observer.ended();
  }

  /** The next piece; undefined at the end or when the pipe cannot be read any more. */
  async #next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#paused) await this.#resumed.promise;
    return await this.#reader.read().then(({ value }) => value, () => undefined);
  }
}
