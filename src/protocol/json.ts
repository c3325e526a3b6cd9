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

/** Length, in UTF-16 units, below which a text is parsed directly. */
const LONG_TEXT = 256 * 1024;
/** Length, in UTF-16 units, below which a text is not checked against limits. */
const COUNTED_TEXT = 64 * 1024;
/** The position in a message up to which the member with bytes is looked for. */
const SEARCHED = 64 * 1024;
/** The beginning of a member of `params` or `result` with bytes in base64. */
const BYTES_MEMBER = /"(?<name>dataBase64|chunk|bodyBase64)"\s*:\s*"/;
const FORGET = /^/;
/** Random text that replaces the bytes while the rest is parsed. */
const PLACEHOLDER = crypto.randomUUID();

/**
 * Parses a message like `JSON.parse`, but without reading each character of the bytes that a long message
 * carries in base64: for a file of 8 MiB that would take as long as writing it.
 *
 * Characters that JSON forbids in a string are not noticed in those bytes, where they are invalid as
 * base64 too.
 *
 * @param limits for a long text. @default none
 * @throws {SyntaxError} for a text that is not JSON
 * @throws {JsonLimitError} for a long text that exceeds a limit
 */
export function parseJson(text: string, limits?: JsonLimits): unknown {
  if (limits !== undefined && text.length >= COUNTED_TEXT) checkJsonLimits(text, limits);
  return text.length < LONG_TEXT ? JSON.parse(text) : parseAround(text) ?? JSON.parse(text);
}

/** The message, or undefined if it is none that carries its bytes in the usual place. */
function parseAround(text: string): unknown {
  const found = BYTES_MEMBER.exec(text.slice(0, SEARCHED));
  const name = found?.groups?.name;
  // The engine remembers the text of the last match (RegExp.input), of which this was a part.
  FORGET.test("");
  if (found === null || name === undefined) return undefined;
  const begin = found.index + found[0].length;
  const end = text.indexOf('"', begin);
  const bytes = text.slice(begin, end);
  if (end < 0 || bytes.includes("\\")) return undefined;
  const message: unknown = JSON.parse(`${text.slice(0, begin)}${PLACEHOLDER}${text.slice(end)}`);
  // The match may have been another member of that name, or the end of a longer name.
  if (!isRecord(message)) return undefined;
  const holder = [message.params, message.result].filter(isRecord)
    .find((part) => part[name] === PLACEHOLDER);
  if (holder === undefined) return undefined;
  holder[name] = bytes;
  return message;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
