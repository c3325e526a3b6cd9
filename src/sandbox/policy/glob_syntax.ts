/** One name of a pattern: `**`, or what a single name has to be like. */
export type GlobPart =
  | { readonly kind: "anyDepth" }
  | { readonly kind: "name"; readonly like: NamePattern };

/** Why a pattern cannot be read. */
export class GlobSyntaxError extends Error {
  override readonly name = "GlobSyntaxError";
}

/** Into how many patterns one with braces may unfold. */
const MAX_ALTERNATIVES = 256;

/** The text that a name of a pattern stands for, if it stands for one alone. */
export function literalName(text: string): string | undefined {
  const plain = text.replace(/\\(.)/gs, "");
  return /[*?[\]{}\\]/.test(plain) ? undefined : text.replace(/\\(.)/gs, "$1");
}

/**
 * Writes out `{a,b}`: the patterns without braces that one with braces stands for.
 *
 * @throws {GlobSyntaxError} for braces that do not pair up, and for too many alternatives
 */
export function unfoldBraces(pattern: string): string[] {
  const open = findUnescaped(pattern, "{", 0);
  if (open === -1) {
    if (findUnescaped(pattern, "}", 0) !== -1) throw new GlobSyntaxError("`}` without `{`");
    return [pattern];
  }
  const close = closingBrace(pattern, open);
  const [before, after] = [pattern.slice(0, open), pattern.slice(close + 1)];
  const unfolded = splitAlternatives(pattern.slice(open + 1, close))
    .flatMap((alternative) => unfoldBraces(before + alternative + after));
  if (unfolded.length > MAX_ALTERNATIVES) throw new GlobSyntaxError("too many alternatives");
  return unfolded;
}

/**
 * Reads one name of a pattern without braces: `*` is any text, `?` any character, `[a-z]` one of
 * a class, `[!a]` one not in it; a backslash takes the meaning from what follows it.
 *
 * @throws {GlobSyntaxError} for a class without end
 */
export function parseGlobName(text: string): GlobPart {
  if (text === "**") return { kind: "anyDepth" };
  /** What stands between stars, as regular expressions for one character each. */
  const pieces: string[][] = [[]];
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "*") pieces.push([]);
    else if (character === "?") pieces.at(-1)?.push(".");
    else if (character === "[") {
      const end = classEnd(text, at);
      pieces.at(-1)?.push(characterClass(text.slice(at + 1, end)));
      at = end;
    } else {
      if (character === "\\" && at + 1 < text.length) at++;
      pieces.at(-1)?.push(RegExp.escape(text.charAt(at)));
    }
  }
  try {
    return { kind: "name", like: new NamePattern(pieces) };
  } catch {
    throw new GlobSyntaxError("a class of characters is not valid");
  }
}

/** A `]` right after the opening stands for itself. */
function classEnd(text: string, open: number): number {
  const first = "!^".includes(text.charAt(open + 1) || " ") ? open + 2 : open + 1;
  const end = text.indexOf("]", first + 1);
  if (end === -1) throw new GlobSyntaxError("`[` without `]`");
  return end;
}

function characterClass(text: string): string {
  const negated = text.startsWith("!") || text.startsWith("^");
  const characters = (negated ? text.slice(1) : text).replace(/[\\\][^]/g, "\\$&");
  return `[${negated ? "^" : ""}${characters}]`;
}

function closingBrace(pattern: string, open: number): number {
  for (let at = open + 1, depth = 1; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === "\\") at++;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return at;
  }
  throw new GlobSyntaxError("`{` without `}`");
}

/** Splits at the commas that are in no inner braces. */
function splitAlternatives(text: string): string[] {
  const alternatives = [""];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    let piece = text.charAt(at);
    if (piece === "\\") piece += text.charAt(++at);
    else if (piece === "{") depth++;
    else if (piece === "}") depth--;
    if (piece === "," && depth === 0) alternatives.push("");
    else alternatives.push((alternatives.pop() ?? "") + piece);
  }
  return alternatives;
}

function findUnescaped(text: string, character: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text.charAt(at) === "\\") at++;
    else if (text.charAt(at) === character) return at;
  }
  return -1;
}

/**
 * A name with stars in it.
 *
 * What stands between two stars is looked for from the left, and once found never again: a regular
 * expression with many stars could take longer than anybody lives.
 */
class NamePattern {
  readonly #pieces: readonly RegExp[];
  readonly #lengths: readonly number[];

  /**
   * @param pieces what stands before, between and behind the stars: regular expressions that match
   * one character each
   * @throws {SyntaxError} if one is no regular expression
   */
  constructor(pieces: readonly (readonly string[])[]) {
    this.#lengths = pieces.map((characters) => characters.length);
    const last = pieces.length - 1;
    this.#pieces = pieces.map((characters, at) =>
      new RegExp(`${at === 0 ? "^" : ""}${characters.join("")}${at === last ? "$" : ""}`, "sg")
    );
  }

  /** Whether a name is like this. */
  test(name: string): boolean {
    let from = 0;
    for (const [at, piece] of this.#pieces.entries()) {
      const length = this.#lengths[at] ?? 0;
      // Only its end can be the place of the last one.
      const isLast = at === this.#pieces.length - 1;
      piece.lastIndex = isLast && at > 0 ? Math.max(from, name.length - length) : from;
      if (!piece.test(name)) return false;
      from = piece.lastIndex;
    }
    return true;
  }
}
