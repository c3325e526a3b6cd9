import { checkJsonLimits, type JsonLimits } from "./json_limits.ts";

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
