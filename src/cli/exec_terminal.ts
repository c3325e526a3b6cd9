import type { ExecProcess, TerminalSize } from "../client/mod.ts";
import { say } from "./standard_streams.ts";

/** The terminal that this program runs on, if any; disposing of it restores its mode. */
export class LocalTerminal implements Disposable {
  #raw = false;
  #resized: (() => void) | undefined;

  /** The size of the terminal; undefined without one. */
  get size(): TerminalSize | undefined {
    try {
      const { rows, columns } = Deno.consoleSize();
      return rows > 0 && columns > 0 ? { rows, cols: columns } : undefined;
    } catch {
      return undefined;
    }
  }

  /** The variables that describe the terminal to programs. */
  get environment(): Record<string, string> {
    return { TERM: Deno.env.toObject().TERM ?? "xterm-256color" };
  }

  /**
   * Connects the terminal to a remote process: keys are passed on as they are typed, and the process
   * learns of changes of the size, one during its start included.
   *
   * @param startedWith the size that it was started with
   */
  follow(process: ExecProcess, startedWith: TerminalSize | undefined): void {
    if (Deno.stdin.isTerminal()) {
      // The mode is restored even when the program ends unexpectedly.
      globalThis.addEventListener("unload", () => this.restore());
      Deno.stdin.setRaw(true);
      this.#raw = true;
      passOutputUnchanged();
    }
    if (Deno.build.os === "windows") return;
    this.#resized = () => {
      const { size } = this;
      if (size !== undefined) process.resize(size).catch(() => {});
    };
    Deno.addSignalListener("SIGWINCH", this.#resized);
    const { size } = this;
    if (size?.rows !== startedWith?.rows || size?.cols !== startedWith?.cols) this.#resized();
  }

  /** Prints a message on a line of its own. */
  say(message: string): void {
    say(message, this.#raw ? "\r\n" : "\n");
  }

  /** Restores the mode of the terminal. */
  restore(): void {
    if (this.#raw) Deno.stdin.setRaw(false);
    this.#raw = false;
    if (this.#resized !== undefined) Deno.removeSignalListener("SIGWINCH", this.#resized);
    this.#resized = undefined;
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}

/**
 * Keeps the terminal from translating line feeds, which Deno's raw mode leaves on: the remote terminal
 * has already done so. Leaving raw mode undoes it.
 */
function passOutputUnchanged(): void {
  if (Deno.build.os === "windows") return;
  try {
    new Deno.Command("stty", { args: ["-opost"], stdin: "inherit", stderr: "null" }).outputSync();
  } catch {
    // Without stty(1) plain output still looks right.
  }
}
