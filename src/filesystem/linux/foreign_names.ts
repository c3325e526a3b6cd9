import { closeDescriptor } from "../../native/descriptor.ts";
import { Open, openAt } from "./descriptors.ts";
import { libc } from "./libc.ts";
import { lastError } from "./system_error.ts";

const SYS_GETDENTS64 = Deno.build.arch === "aarch64" ? 61n : 217n;
const BUFFER_BYTES = 32 * 1024;
/** Where the parts of `struct linux_dirent64` are (getdents(2)). */
const LENGTH_OFFSET = 16;
const TYPE_OFFSET = 18;
const NAME_OFFSET = 19;
const DT_UNKNOWN = 0;
const DT_DIR = 4;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** Something in a directory that no text can name. */
export interface ForeignName {
  /** Its name, with U+FFFD for what is not UTF-8. */
  readonly likeness: string;
  readonly mayBeDirectory: boolean;
}

/**
 * What is in a directory under names that are not UTF-8, which the runtime leaves out of its lists.
 *
 * @throws {SystemError} if the directory cannot be read
 */
export function foreignNames(path: string): ForeignName[] {
  const directory = openAt(-1, path, Open.Directory);
  const buffer = new Uint8Array(BUFFER_BYTES);
  const found: ForeignName[] = [];
  try {
    for (;;) {
      const size = BigInt(buffer.length);
      const count = Number(libc().getdents64(SYS_GETDENTS64, BigInt(directory), buffer, size));
      if (count < 0) throw lastError();
      if (count === 0) return found;
      found.push(...foreignIn(buffer.subarray(0, count)));
    }
  } finally {
    closeDescriptor(directory);
  }
}

function foreignIn(entries: Uint8Array<ArrayBuffer>): ForeignName[] {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  const found: ForeignName[] = [];
  for (let at = 0; at < entries.length; at += view.getUint16(at + LENGTH_OFFSET, true)) {
    const start = at + NAME_OFFSET;
    const name = entries.subarray(start, entries.indexOf(0, start));
    const type = view.getUint8(at + TYPE_OFFSET);
    if (isUtf8(name)) continue;
    found.push({
      likeness: lossy.decode(name),
      mayBeDirectory: type === DT_DIR || type === DT_UNKNOWN,
    });
  }
  return found;
}

function isUtf8(name: Uint8Array<ArrayBuffer>): boolean {
  if (name.every((byte) => byte < 0x80)) return true;
  try {
    strict.decode(name);
    return true;
  } catch {
    return false;
  }
}
