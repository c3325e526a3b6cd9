import { isNonBlocking, untilReady, writeSome } from "../os/non_blocking.ts";
import { writeErrorLine } from "../log/standard_error.ts";

const READ_BYTES = 64 * 1024;
const STDIN = 0;

/** Standard input cannot be read, for example because it is a directory. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/**
 * The bytes of standard input until its end. It waits for input also if another program that shares the
 * open file has made it non-blocking (open(2), O_NONBLOCK).
 *
 * @throws {InputError} when it cannot be read
 */
export async function* standardInput(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  while (true) {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

async function read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
  while (true) {
    try {
      return await Deno.stdin.read(buffer);
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) {
        const words = error instanceof Error ? error.message : String(error);
        throw new InputError(words, { cause: error });
      }
    }
    await untilReady(STDIN, "read");
  }
}

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

/**
 * Says something to whoever runs this program, in one line on standard error.
 *
 * @param end what ends the line
 */
export function say(message: string, end = "\n"): void {
  writeErrorLine(`remex: ${message.replaceAll("\n", " ")}`, end);
}
