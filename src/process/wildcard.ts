/**
 * A test for texts that match a pattern as a whole: `*` stands for any characters, `?` for exactly
 * one, every other for itself. Case does not matter.
 *
 * Takes time in proportion to both lengths multiplied at the most; as a regular expression, a
 * pattern with many stars could take longer than anyone waits.
 */
export function wildcardTest(pattern: string): (text: string) => boolean {
  const wanted = characters(pattern);
  return (text) => matches(characters(text), wanted);
}

function characters(text: string): readonly string[] {
  return [...text.toLowerCase()];
}

/** On a mismatch, the last star takes one character more; earlier ones need no second try. */
function matches(text: readonly string[], pattern: readonly string[]): boolean {
  let at = 0;
  let next = 0;
  let star: { readonly next: number; taken: number } | undefined;
  while (at < text.length) {
    if (pattern[next] === "*") {
      star = { next: ++next, taken: at };
    } else if (pattern[next] === "?" || pattern[next] === text[at]) {
      next++;
      at++;
    } else if (star !== undefined) {
      next = star.next;
      at = ++star.taken;
    } else {
      return false;
    }
  }
  return pattern.slice(next).every((character) => character === "*");
}
