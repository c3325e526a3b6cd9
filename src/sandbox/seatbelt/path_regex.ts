/**
 * Regular expressions about paths, in a form that means the same whether they are applied to bytes
 * or to characters, and in which no character of a path can end the text that they stand in.
 */

/** Any one character of a name: one unit, or the several that stand for one beyond ASCII. */
const ANY_CHARACTER = "([^/]|[^ -~]+)";
const ANY_TEXT = "[^/]*";

/**
 * The path itself and whatever is below it, with the last name in capital or small letters: for a
 * name that is not there yet, which a volume may take for the same however it is written.
 */
export function anyCaseTreeRegex(path: string): string {
  const slash = path.lastIndexOf("/");
  return `^${literalText(path.slice(0, slash))}/${anyCaseText(path.slice(slash + 1))}(/.*)?$`;
}

/**
 * What a pattern matches, and whatever is below.
 *
 * Never less than that. It is a little more for unusual characters: in `[!…]` a bracket, a
 * backslash and what is not ASCII do not count as excluded.
 *
 * @param base the directory where the pattern begins
 * @param names the names of the pattern below it, without braces
 */
export function globRegex(base: string, names: readonly string[]): string {
  const parts = names.map((name, at) => {
    if (name !== "**") return `/${globName(name)}`;
    return at === names.length - 1 ? "/.+" : "(/.*)?";
  });
  return `^${literalText(base === "/" ? "" : base)}${parts.join("")}(/.*)?$`;
}

/** Quotes and control characters become any character at all: they could not be told in the text. */
function literalText(text: string): string {
  return text.replace(/[^/a-zA-Z0-9]/gsu, (character) => literalCharacter(character));
}

function literalCharacter(character: string): string {
  if (character < " " || character === "\x7f" || character === '"') return ANY_CHARACTER;
  return /[\\^$.*+?()[\]{}|]/.test(character) ? `\\${character}` : character;
}

function anyCaseText(text: string): string {
  return Array.from(text, anyCaseCharacter).join("");
}

function anyCaseCharacter(character: string): string {
  const [small, capital] = [character.toLowerCase(), character.toUpperCase()];
  if (small === capital) return literalCharacter(character);
  if (/[a-z]/i.test(character)) return `[${small}${capital}]`;
  return `(${small}|${capital})`;
}

/** One name of a pattern, with its own text in capital or small letters. */
function globName(text: string): string {
  let source = "";
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") source += source.endsWith(ANY_TEXT) ? "" : ANY_TEXT;
    else if (character === "?") source += ANY_CHARACTER;
    else if (character === "[") {
      const end = classEnd(characters, at);
      source += classRegex(characters.slice(at + 1, end));
      at = end;
    } else if (character === "\\" && at + 1 < characters.length) {
      source += anyCaseCharacter(characters[++at] ?? "");
    } else {
      source += anyCaseCharacter(character);
    }
  }
  return source;
}

/** A `]` right after the opening stands for itself. */
function classEnd(characters: readonly string[], open: number): number {
  const first = isNegation(characters[open + 1]) ? open + 2 : open + 1;
  return characters.indexOf("]", first + 1);
}

function isNegation(character: string | undefined): boolean {
  return character === "!" || character === "^";
}

function classRegex(inside: readonly string[]): string {
  const negated = isNegation(inside[0]);
  const members = classMembers(negated ? inside.slice(1) : inside);
  if (members === undefined) return ANY_CHARACTER;
  if (negated) {
    // A hyphen is itself at the end; what would need more care is left out.
    const excluded = members.filter((member) => /[^[\]\\"/-]/.test(member) && isPlain(member));
    const hyphen = members.includes("-") ? "-" : "";
    return `([^/${excluded.join("")}${hyphen}]|[^ -~]+)`;
  }
  return `(${members.filter((member) => member !== "/").map(literalCharacter).join("|")})`;
}

function isPlain(character: string): boolean {
  return character >= " " && character <= "~";
}

/** How many characters a range may have to be written out; a wider one is any character. */
const MAX_RANGE = 128;

/** Every character of a class; undefined if they are too many. */
function classMembers(inside: readonly string[]): string[] | undefined {
  const members = new Set<string>();
  for (let at = 0; at < inside.length; at++) {
    const from = inside[at]?.codePointAt(0) ?? 0;
    const isRange = inside[at + 1] === "-" && at + 2 < inside.length;
    const to = isRange ? inside[at + 2]?.codePointAt(0) ?? from : from;
    if (to - from > MAX_RANGE) return undefined;
    for (let code = from; code <= to; code++) members.add(String.fromCodePoint(code));
    if (isRange) at += 2;
  }
  return [...members];
}
