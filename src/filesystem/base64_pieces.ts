/** Characters that are decoded at a time, a multiple of four. */
const PIECE_CHARS = 1024 * 1024;
/** The same where the bytes are of no use: a buffer that stays in the processor's cache. */
const CHECKED_CHARS = 64 * 1024;

/**
 * Decodes base64 piece by piece, so that a long text needs little room. A piece is overwritten when
 * the next but one is asked for.
 *
 * @throws {SyntaxError} at a piece that is not standard base64 with padding (RFC 4648, section 4)
 */
export function* base64Pieces(
  text: string,
  pieceChars = PIECE_CHARS,
): Generator<Uint8Array<ArrayBuffer>, void> {
  const size = Math.floor(Math.min(pieceChars, text.length) / 4 * 3);
  let [piece, other] = [new Uint8Array(size), new Uint8Array(size)];
  for (let from = 0; from < text.length; from += pieceChars) {
    const chars = text.slice(from, from + pieceChars);
    yield decodePiece(chars, from + pieceChars >= text.length, piece);
    [piece, other] = [other, piece];
  }
}

/** Whether a text is standard base64 with padding. */
export function isBase64(text: string): boolean {
  try {
    for (const _ of base64Pieces(text, CHECKED_CHARS));
    return true;
  } catch {
    return false;
  }
}

function decodePiece(
  chars: string,
  isLast: boolean,
  buffer: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { written } = buffer.setFromBase64(chars, { lastChunkHandling: "strict" });
  // The decoder skips white space, which RFC 4648 section 3.3 forbids: it would be missing here.
  const padding = isLast ? paddingOf(chars) : 0;
  if (written !== chars.length / 4 * 3 - padding) throw new SyntaxError("not standard base64");
  return buffer.subarray(0, written);
}

function paddingOf(chars: string): number {
  return chars.endsWith("==") ? 2 : chars.endsWith("=") ? 1 : 0;
}
