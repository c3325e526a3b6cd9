import { UsageError } from "./usage_error.ts";

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

/** As of docker-attach(1). */
export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

const CONTROL = 0x1f;

/**
 * Recognises a sequence of keys that leaves a terminal. Keys that may begin it are kept until the
 * next key.
 */
export class DetachKeys {
  readonly #sequence: readonly number[];
  #matched = 0;

  /**
   * @param text keys with commas between them, each one character or `ctrl-` and a letter or one of
   * `@[\]^_`
   * @throws {UsageError} for what is no such text
   */
  constructor(text: string) {
    this.#sequence = text.split(",").map((key) => {
      const code = keyCode(key);
      if (code !== undefined) return code;
      throw new UsageError(
        `--detach-keys: \`${key}\` is no key: one character, or ctrl- and a letter or one of @[\\]^_`,
      );
    });
  }

  read(keys: Uint8Array): ReadKeys {
    const bytes: number[] = [];
    for (const key of keys) {
      if (key !== this.#sequence[this.#matched]) {
        bytes.push(...this.#sequence.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (key !== this.#sequence[this.#matched]) bytes.push(key);
      else if (++this.#matched === this.#sequence.length) {
        return { bytes: Uint8Array.from(bytes), leave: true };
      }
    }
    return { bytes: Uint8Array.from(bytes), leave: false };
  }

  end(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#sequence.slice(0, this.#matched));
  }
}

/** The byte that a terminal sends for a key. */
function keyCode(key: string): number | undefined {
  const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & CONTROL;
  return /^[\x21-\x7e]$/.test(key) ? key.charCodeAt(0) : undefined;
}
