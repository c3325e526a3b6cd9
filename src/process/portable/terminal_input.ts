import type { Duplex } from "node:stream";
import type { WriteOutcome } from "../child.ts";
import type { ChildInput } from "./streams.ts";
import { writeSome } from "./unix_pseudo_terminal.ts";

/** How often a full terminal is tried again, in milliseconds. */
const RETRY_MS = 5;

/**
 * Writes to a terminal. The runtime's own way loses sight of a terminal that was full once and goes
 * on only when something else happens.
 */
export class TerminalInput implements ChildInput {
  readonly #terminal: Duplex;
  readonly #descriptor: number;
  #last: Promise<WriteOutcome> = Promise.resolve("written");
  #open = true;

  /** @param terminal whoever closes the descriptor */
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
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
