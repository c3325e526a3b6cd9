import { isNonBlocking, waitUntilReady, writeSome } from "../os/non_blocking.ts";

const STDERR = 2;
/** How long a line may wait for a reader where standard error does not wait itself, in ms. */
const PATIENCE_MS = 1000;

/**
 * Writes a line to standard error. Where that finds no room, as in a log on a full disk, the line is
 * lost and nothing else: what it tells of goes on.
 *
 * @param end what ends the line
 */
export function writeErrorLine(line: string, end = "\n"): void {
  try {
    writeAllSync(new TextEncoder().encode(line + end));
  } catch {
    // There is no other place to say it.
  }
}

/** Others may have made it non-blocking (open(2), O_NONBLOCK). */
function writeAllSync(bytes: Uint8Array<ArrayBuffer>): void {
  for (let rest = bytes; rest.length > 0;) {
    if (!isNonBlocking(STDERR)) {
      rest = rest.subarray(Deno.stderr.writeSync(rest));
      continue;
    }
    waitUntilReady(STDERR, "write", PATIENCE_MS);
    const count = writeSome(STDERR, rest);
    if (count === 0) return;
    rest = rest.subarray(count);
  }
}
