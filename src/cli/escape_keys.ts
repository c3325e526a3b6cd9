const LINE_ENDS: readonly number[] = [0x0a, 0x0d];
const TILDE = 0x7e;
const DOT = 0x2e;

/** The result of reading keys: bytes for the command, and whether to leave the terminal. */
export interface ReadKeys {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly leave: boolean;
}

/**
 * Recognises the escape of ssh(1) among typed keys: `~.` at the beginning of a line leaves the terminal,
 * `~~` there is one tilde, and a tilde before any other key is itself.
 */
export class EscapeKeys {
  #place: "line start" | "behind tilde" | "within line" = "line start";

  /** Reads keys. A tilde that may begin an escape is kept until the next key. */
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

  /** The bytes that were kept when the input ends. */
  end(): Uint8Array<ArrayBuffer> {
    return this.#place === "behind tilde" ? Uint8Array.of(TILDE) : new Uint8Array();
  }
}
