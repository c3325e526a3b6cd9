import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { isLocal } from "../os/until_answered.ts";
import { Open, openAt, pathTo } from "../os/open_at.ts";
import { statusOf } from "../os/file_status.ts";
import { libc } from "../os/file_libc.ts";
import { lastError } from "../os/errno.ts";

/** Lets a file have the blocks of another until one of them is written to (ioctl_ficlone(2)). */
const FICLONE = 0x40049409n;
/** Where the next data, or the next hole, begins (lseek(2)). */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** Bytes that are copied at a time, so that who gives up is heard. */
const RANGE_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const ALREADY_OPEN = "/proc/self/fd/";

/**
 * Makes a file hold what another holds, and gives it the other's permissions. Where the file system
 * can, the two share their blocks; holes stay holes.
 *
 * @throws the system's error
 */
export async function copyContent(
  from: string,
  to: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  // What may not answer is left to a thread of the runtime's, which copies holes as zeros.
  const direct = Deno.build.os === "linux" && await mayBeAskedDirectly(from, to);
  if (!direct) return await Deno.copyFile(from, to);
  const source = openAt(-1, from, Open.NonBlocking);
  try {
    const target = openAt(-1, to, Open.WriteOnly | Open.NonBlocking);
    try {
      const { size, mode } = statusOf(source);
      succeed(libc().ftruncate(target, 0n));
      if (await libc().ioctl_descriptor(target, FICLONE, BigInt(source)) !== 0) {
        await copyData(source, target, size, signal);
      }
      succeed(libc().fchmod(target, mode));
    } finally {
      closeDescriptor(target);
    }
  } finally {
    closeDescriptor(source);
  }
}

async function mayBeAskedDirectly(...paths: string[]): Promise<boolean> {
  const local = paths.map((path) => path.startsWith(ALREADY_OPEN) || isLocal(path));
  return (await Promise.all(local)).every(Boolean);
}

async function copyData(
  source: Descriptor,
  target: Descriptor,
  size: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Files of /proc do not know how long they are.
  if (size === 0) return void await copyPieces(source, target, 0, Infinity, signal);
  let end = 0;
  for (const data of dataIn(source, size)) {
    await copyRange(source, target, data, signal);
    end = data.end;
  }
  if (end < size) succeed(libc().ftruncate(target, BigInt(size)));
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The parts of a file that are not holes; all of it, where the file system does not tell. */
function* dataIn(file: Descriptor, size: number): Generator<Range, void> {
  for (let at = 0; at < size;) {
    const start = Number(libc().lseek(file, BigInt(at), SEEK_DATA));
    if (start < 0) {
      const { code } = lastError();
      // There is nothing but a hole.
      if (code !== "ENXIO") yield { start: at, end: size };
      return;
    }
    const hole = Number(libc().lseek(file, BigInt(start), SEEK_HOLE));
    const end = hole < 0 ? size : Math.min(hole, size);
    yield { start, end };
    at = end;
  }
}

async function copyRange(
  source: Descriptor,
  target: Descriptor,
  { start, end }: Range,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let at = start; at < end;) {
    signal?.throwIfAborted();
    const [read, written] = [position(at), position(at)];
    const length = BigInt(Math.min(RANGE_BYTES, end - at));
    const count = Number(
      await libc().copy_file_range(source, read, target, written, length, 0),
    );
    // Between file systems, or on one that cannot: whatever it is, is told by what comes now.
    if (count <= 0) return void await copyPieces(source, target, at, end, signal);
    at += count;
  }
}

/** Copies until the end, or that of the file. */
async function copyPieces(
  source: Descriptor,
  target: Descriptor,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  using from = await Deno.open(pathTo(source));
  using to = await Deno.open(pathTo(target), { write: true });
  await Promise.all([from, to].map((file) => file.seek(start, Deno.SeekMode.Start)));
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let at = start; at < end;) {
    signal?.throwIfAborted();
    const count = await from.read(buffer.subarray(0, Math.min(buffer.length, end - at)));
    if (count === null) return;
    for (let rest = buffer.subarray(0, count); rest.length > 0;) {
      rest = rest.subarray(await to.write(rest));
    }
    at += count;
  }
}

function position(at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BigInt64Array.of(BigInt(at)).buffer);
}

function succeed(result: number): void {
  if (result !== 0) throw lastError();
}
