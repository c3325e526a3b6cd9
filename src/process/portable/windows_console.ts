import type { IPty } from "@lydell/node-pty";
import type { ChildCommand } from "../child.ts";
import type { TerminalSize } from "../../protocol/process.ts";
import type { ChildInput, ChildOutput, OutputObserver, StartedProcess } from "./child.ts";

/** Ctrl-C, as typed. */
const INTERRUPT = "\x03";

/**
 * Starts a command on a pseudo-console (ConPTY), whose output ends with the command. The native library of
 * the package stays as a file in the temporary directory, as Windows does not remove files in use.
 *
 * @throws {Error}
 */
export async function startOnConsole(
  command: ChildCommand,
  { rows, cols }: TerminalSize,
): Promise<StartedProcess> {
  const { spawn } = await import("@lydell/node-pty");
  const { argv: [file = "", ...args], cwd, env } = command;
  const terminal = spawn(file, args, { cwd, env: { ...env }, rows, cols });
  const { promise: exit, resolve: exited } = Promise.withResolvers<number>();
  terminal.onExit(({ exitCode }) => exited(exitCode));
  return {
    pid: terminal.pid,
    exit,
    input: new ConsoleInput(terminal),
    outputs: [{ stream: "pty", open: (observer) => new ConsoleOutput(terminal, observer) }],
    resize: ({ rows, cols }) => terminal.resize(cols, rows),
    interrupt: () => terminal.write(INTERRUPT),
  };
}

/** Writes to a console, which takes text and does not report failures. */
class ConsoleInput implements ChildInput {
  readonly #terminal: IPty;
  readonly #decoder = new TextDecoder();
  #open = true;

  constructor(terminal: IPty) {
    this.#terminal = terminal;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<"written" | "closed"> {
    if (!this.#open) return Promise.resolve("closed");
    this.#terminal.write(this.#decoder.decode(bytes, { stream: true }));
    return Promise.resolve("written");
  }

  end(): void {}

  close(): void {
    this.#open = false;
  }
}

/** Reads a console, which gives text. */
class ConsoleOutput implements ChildOutput {
  readonly #terminal: IPty;
  readonly #listeners: readonly { dispose(): void }[];

  constructor(terminal: IPty, observer: OutputObserver) {
    this.#terminal = terminal;
    const encoder = new TextEncoder();
    this.#listeners = [
      terminal.onData((text) => observer.bytes(encoder.encode(text))),
      terminal.onExit(() => observer.ended()),
    ];
    terminal.pause();
  }

  pause(): void {
    this.#terminal.pause();
  }

  resume(): void {
    this.#terminal.resume();
  }

  close(): void {
    for (const listener of this.#listeners) listener.dispose();
    this.#terminal.resume();
  }
}
