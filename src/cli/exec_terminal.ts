import type { ExecProcess, TerminalSize } from "../client/mod.ts";
import { writeErrorLine } from "../log/standard_error.ts";

/** The terminal that this program runs on, if it does, and what was done to it. */
export class LocalTerminal implements Disposable {
  #raw = false;
  #resized: (() => void) | undefined;

  /** Its size; undefined where there is no terminal. */
  get size(): TerminalSize | undefined {
    try {
      const { rows, columns } = Deno.consoleSize();
      return rows > 0 && columns > 0 ? { rows, cols: columns } : undefined;
    } catch {
      return undefined;
    }
  }

  /** What programs on a terminal have to know of it. */
  get environment(): Record<string, string> {
    return { TERM: Deno.env.toObject().TERM ?? "xterm-256color" };
  }

  /**
   * Makes it the terminal of a process elsewhere: keys go there as they are typed, and the process
   * learns of changes of the size, also of one while it was started.
   *
   * @param startedWith the size that it was started with
   */
  follow(process: ExecProcess, startedWith: TerminalSize | undefined): void {
    if (Deno.stdin.isTerminal()) {
      // Also when the program ends by a way that nobody foresaw.
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

  /** Tells the user something, on a line of its own. */
  say(message: string): void {
    writeErrorLine(`remex: ${message.replaceAll("\n", " ")}`, this.#raw ? "\r\n" : "\n");
  }

  /** Leaves the terminal as it was found. */
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
 * Keeps the terminal from turning every line feed into a new line, which Deno's raw mode leaves it
 * to do: programs that move the cursor mean what they send. Leaving raw mode undoes it.
 */
function passOutputUnchanged(): void {
  if (Deno.build.os === "windows") return;
  try {
    new Deno.Command("stty", { args: ["-opost"], stdin: "inherit", stderr: "null" }).outputSync();
  } catch {
    // Without stty(1) simple output still looks right.
  }
}
