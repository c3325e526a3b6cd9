import type { ReadKeys } from "./escape_keys.ts";
import { UsageError } from "./usage_error.ts";

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
