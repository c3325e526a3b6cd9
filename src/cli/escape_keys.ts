const LINE_ENDS: readonly number[] = [0x0a, 0x0d];
const TILDE = 0x7e;
const DOT = 0x2e;

/** What keys say: bytes for the command, and whether to leave. */
export interface ReadKeys {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly leave: boolean;
}

/**
 * Finds ssh(1)'s way out of a terminal among the keys that are typed: `~.` at the beginning of a
 * line leaves, `~~` is one tilde, and before anything else a tilde is itself.
 */
export class EscapeKeys {
  #place: "line start" | "behind tilde" | "within line" = "line start";

  /** Takes keys. A tilde that may begin a way out is kept back until the next key. */
  read(keys: Uint8Array): ReadKeys {
    const bytes: number[] = [];
    for (const key of keys) {
      if (this.#place === "behind tilde") {
        if (key === DOT) return { bytes: Uint8Array.from(bytes), leave: true };
        if (key !== TILDE) bytes.push(TILDE);
      } else if (this.#place === "line start" && key === TILDE) {
        this.#place = "behind tilde";
        continue;
      }
      bytes.push(key);
      this.#place = LINE_ENDS.includes(key) ? "line start" : "within line";
    }
    return { bytes: Uint8Array.from(bytes), leave: false };
  }

  /** The input has ended: what was kept back. */
  end(): Uint8Array<ArrayBuffer> {
    return this.#place === "behind tilde" ? Uint8Array.of(TILDE) : new Uint8Array();
  }
}
