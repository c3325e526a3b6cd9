/**
 * Writes a line to standard error. Where that finds no room, as in a log on a full disk, the line is
 * lost and nothing else: what it tells of goes on.
 */
export function writeErrorLine(line: string): void {
  try {
    console.error(line);
  } catch {
    // There is no other place to say it.
  }
}
