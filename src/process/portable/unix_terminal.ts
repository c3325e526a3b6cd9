import type { ChildCommand, WriteOutcome } from "../child.ts";
import type { TerminalSize } from "../../protocol/process.ts";
import type { ChildInput, ChildOutput, OutputObserver, StartedProcess } from "./child.ts";
import { type Launch, launchOnTerminal, launchResize, locateExecutable } from "./launcher.ts";
import { closeDescriptor, openPseudoTerminal, writeSome } from "../../os/unix_pseudo_terminal.ts";
import type { Duplex } from "node:stream";
import { ReadStream } from "node:tty";
import { delay } from "@std/async/delay";

/** Starts a command on a pseudo-terminal of a Unix system. @throws {Error} */
export function startOnTerminal(command: ChildCommand, size: TerminalSize): StartedProcess {
  const { argv: [name = "", ...args], arg0 = name, env } = command;
  const file = locateExecutable(command);
  const { master, slave, path } = openPseudoTerminal();
  const terminal = new ReadStream(master);
  try {
    const launch = launchOnTerminal({ file, args, env }, arg0, { path, ...size });
    const child = spawn(launch, command.cwd);
    const exit = child.status.then(({ code }) => {
      closeDescriptor(slave);
      return code;
    });
    return {
      pid: child.pid,
      exit,
      input: new TerminalInput(terminal, master),
      outputs: [{ stream: "pty", open: (observer) => new TerminalOutput(terminal, observer) }],
      // BSD systems revoke the terminal from all processes when the session leader exits.
      outputsEndWithExit: Deno.build.os === "darwin",
      resize: (size) => void spawn(launchResize({ path, ...size }), "/"),
    };
  } catch (error) {
    closeDescriptor(slave);
    terminal.destroy();
    throw error;
  }
}

function spawn({ file, args, env }: Launch, cwd: string): Deno.ChildProcess {
  return new Deno.Command(file, {
    args: [...args],
    cwd,
    env: { ...env },
    clearEnv: true,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Interval of writing again to a full terminal, in milliseconds. */
const RETRY_MS = 5;

/**
 * Writes to a terminal, by polling: after a terminal was full, the runtime's stream continues only when
 * some other event occurs.
 */
class TerminalInput implements ChildInput {
  readonly #terminal: Duplex;
  readonly #descriptor: number;
  #last: Promise<WriteOutcome> = Promise.resolve("written");
  #open = true;

  /** @param terminal the stream that owns the descriptor */
  constructor(terminal: Duplex, descriptor: number) {
    this.#terminal = terminal;
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    this.#last = this.#last.then(() => this.#write(bytes));
    return this.#last;
  }

  /** A terminal's input has no end. */
  end(): void {}

  close(): void {
    this.#open = false;
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    for (let rest = bytes;;) {
      if (!this.#open || this.#terminal.destroyed) return "closed";
      rest = rest.subarray(writeSome(this.#descriptor, rest));
      if (rest.length === 0) return "written";
      await delay(RETRY_MS);
    }
  }
}

/** Reads a terminal. Its hang-up, which the stream reports as an error, is the end. */
class TerminalOutput implements ChildOutput {
  readonly #stream: Duplex;
  readonly #observer: OutputObserver;
  #over = false;

  constructor(stream: Duplex, observer: OutputObserver) {
    this.#stream = stream;
    this.#observer = observer;
    stream.on("data", (bytes: Uint8Array) => observer.bytes(new Uint8Array(bytes)));
    stream.on("error", () => this.#end());
    stream.on("end", () => this.#end());
    stream.on("close", () => this.#end());
    stream.pause();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#over = true;
    this.#stream.removeAllListeners("data");
    this.#stream.destroy();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.destroy();
    this.#observer.ended();
  }
}
