/** Limits of a JSON text. */
export interface JsonLimits {
  /** Levels of nested arrays and objects. */
  readonly depth: number;
  /** Number of values, without the names of members. */
  readonly values: number;
}

/** A JSON text exceeds a limit; the message names it. */
export class JsonLimitError extends Error {
  override readonly name = "JsonLimitError";
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Checks before parsing that a text is quick to parse: for 64 MiB of `[` or of `{},` `JSON.parse` takes
 * 13 s and gigabytes, for 64 MiB in one string a tenth of a second.
 *
 * Strings are skipped by searching for their end, so that the check costs next to nothing for a
 * message that is one long string. Text that is not JSON is left to the parser to refuse.
 *
 * @throws {JsonLimitError}
 */
export function checkJsonLimits(text: string, limits: JsonLimits): void {
  let depth = 0;
  // Each value except the first of the text and of each array or object follows a comma.
  let values = 1;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case QUOTE:
        index = endOfString(text, index + 1);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        if (++depth > limits.depth) {
          throw new JsonLimitError(`nested too deeply, the limit is ${limits.depth}`);
        }
        if (++values > limits.values) throw tooMany(limits);
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
      case COMMA:
        if (++values > limits.values) throw tooMany(limits);
        break;
    }
  }
}

function tooMany({ values }: JsonLimits): JsonLimitError {
  return new JsonLimitError(`more than ${values} values`);
}

/** The position of the quote that ends a string, or the end of the text. */
function endOfString(text: string, start: number): number {
  const quote = text.indexOf('"', start);
  if (quote < 0) return text.length;
  if (text.charCodeAt(quote - 1) !== BACKSLASH || quote === start) return quote;
  // One character at a time from here on: millions of escaped quotes would be as many searches.
  for (let index = start; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === BACKSLASH) index++;
    else if (character === QUOTE) return index;
  }
  return text.length;
}
