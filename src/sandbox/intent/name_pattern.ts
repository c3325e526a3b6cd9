/**
 * A name with stars in it.
 *
 * What stands between two stars is looked for from the left, and once found never again: a regular
 * expression with many stars could take longer than anybody lives.
 */
export class NamePattern {
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
