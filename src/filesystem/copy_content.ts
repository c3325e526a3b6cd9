import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { isLocal } from "../os/local_file_systems.ts";
import { Open, openAt, pathTo } from "../os/open_at.ts";
import { statusOf } from "../os/file_status.ts";
import {
  copyWithinKernel,
  dataRanges,
  type FileRange,
  setLength,
  setMode,
  shareBlocks,
} from "../os/file_content.ts";

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
      setLength(target, 0);
      if (!await shareBlocks(source, target)) {
        await copyData(source, target, size, signal);
      }
      setMode(target, mode);
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
  for (const data of dataRanges(source, size)) {
    await copyRange(source, target, data, signal);
    end = data.end;
  }
  if (end < size) setLength(target, size);
}

async function copyRange(
  source: Descriptor,
  target: Descriptor,
  { start, end }: FileRange,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let at = start; at < end;) {
    signal?.throwIfAborted();
    const count = await copyWithinKernel(source, target, at, Math.min(RANGE_BYTES, end - at));
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
