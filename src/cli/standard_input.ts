import { untilReady } from "../os/non_blocking.ts";

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
