/** Whoever read our output does not any more. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** 128 + SIGPIPE: the exit code when nobody reads the output any more, as shells have it. */
export const OUTPUT_CLOSED = 141;

interface Writer {
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * Prints text to standard output, all of it.
 *
 * Not by `console.log`, which keeps a closed pipe to itself, nor by `Deno.stdout.writable`, for which
 * a failed write is a write like any other: who gets the exit code 0 has the text.
 *
 * @throws {OutputClosed} when nobody reads it
 * @throws the system's error, as of a full disk
 */
export function print(text: string): Promise<void> {
  return writeAll(Deno.stdout, new TextEncoder().encode(text));
}

/**
 * Writes all of the bytes, waiting for whoever reads them.
 *
 * @throws {OutputClosed} when nobody reads it
 * @throws the system's error, as of a full disk
 */
export async function writeAll(writer: Writer, bytes: Uint8Array): Promise<void> {
  try {
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(await writer.write(rest));
    }
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
    throw error;
  }
}
