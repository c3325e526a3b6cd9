import { isNonBlocking, untilReady, writeSome } from "../os/non_blocking.ts";

/** Nobody reads the output any more. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** The exit code when nobody reads the output any more: 128 + SIGPIPE, as in shells. */
export const OUTPUT_CLOSED = 141;

/** Standard output or standard error. */
export type OutputStream = typeof Deno.stdout | typeof Deno.stderr;

const STDOUT = 1;
const STDERR = 2;

/**
 * Prints all of a text to standard output, or fails: `console.log` hides a closed pipe, and
 * `Deno.stdout.writable` a failed write.
 *
 * @throws {OutputClosed} when nobody reads it
 * @throws the system's error, as of a full disk
 */
export function print(text: string): Promise<void> {
  return writeAll(Deno.stdout, new TextEncoder().encode(text));
}

/**
 * Writes all of the bytes, however slowly they are read, also if another program has made the open file
 * non-blocking (open(2), O_NONBLOCK).
 *
 * @throws {OutputClosed} when nobody reads it
 * @throws the system's error, as of a full disk
 */
export async function writeAll(
  stream: OutputStream,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const descriptor = stream === Deno.stdout ? STDOUT : STDERR;
  try {
    for (let rest = bytes; rest.length > 0;) {
      if (isNonBlocking(descriptor)) {
        await untilReady(descriptor, "write");
        rest = rest.subarray(writeSome(descriptor, rest));
      } else {
        rest = rest.subarray(await stream.write(rest));
      }
    }
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
    throw error;
  }
}

/** Standard output as a stream. A write that fails fails the stream. */
export function standardOutput(): WritableStream<Uint8Array<ArrayBuffer>> {
  return new WritableStream({
    write: (bytes) => writeAll(Deno.stdout, bytes),
    close: () => Deno.stdout.close(),
  });
}
