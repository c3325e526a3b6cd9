const SLASH = 0x2f;
const DOT = 0x2e;
const COLON = 0x3a;

// Characters that a URL's path shows as they are and that mean nothing but themselves.
const PLAIN = new Uint8Array(128);
for (const character of "!$&'()*+,-./:;=@_~") PLAIN[character.charCodeAt(0)] = 1;
for (let code = 0x30; code <= 0x39; code++) PLAIN[code] = 1;
for (let code = 0x41; code <= 0x5a; code++) PLAIN[code] = PLAIN[code | 0x20] = 1;

/**
 * Whether the path that begins at `text[start]` with a `/` is its own canonical spelling, in a
 * POSIX path and in a URI alike: no escapes, no empty, `.` or `..` segments, no drive. Says no when
 * in doubt. Nearly every path is plain, and this costs a tenth of parsing a URL.
 */
export function hasPlainPath(text: string, start: number): boolean {
  if (text.charCodeAt(start) !== SLASH || text.charCodeAt(start + 2) === COLON) return false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // Beyond the table lies undefined.
    if (PLAIN[code] !== 1) return false;
    if (code === SLASH && startsSpecialSegment(text, at + 1)) return false;
  }
  return true;
}

/** Whether the segment at `text[at]` is empty with another after it, or may be `.` or `..`. */
function startsSpecialSegment(text: string, at: number): boolean {
  const first = text.charCodeAt(at);
  if (first === SLASH) return true;
  if (first !== DOT) return false;
  const second = text.charCodeAt(at + 1);
  return second === SLASH || second === DOT || at + 1 === text.length;
}
