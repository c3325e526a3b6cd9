import { dirname } from "@std/path/posix";
import { cString } from "./os_string.ts";
import { PROC_SUPER_MAGIC, STATFS_BYTES } from "./constants.ts";
import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  statfs: { parameters: ["buffer", "buffer"], result: "i32", nonblocking: true },
});

/** Types of file systems that wait for no one outside of the kernel (linux/magic.h). */
const LOCAL_TYPES: ReadonlySet<bigint> = new Set([
  0xef53n, // ext4 and its forerunners
  0x58465342n, // XFS
  0x9123683en, // btrfs
  0xf2f52010n, // F2FS
  0x2fc12fc1n, // ZFS
  0x01021994n, // tmpfs
  0x794c7630n, // overlayfs
  0x73717368n, // squashfs
  0xe0f5e1e2n, // EROFS
  PROC_SUPER_MAGIC,
]);
/** How long a path counts as local once it was, in milliseconds: somebody may mount another there. */
const LOCAL_MS = 60_000;
/** So many paths are remembered. */
const MAX_LOCAL = 4096;

/**
 * Knows which paths are on file systems that wait for no one outside of the kernel.
 *
 * A network file system whose server is gone, or a FUSE file system whose program hangs, does not
 * answer for minutes, or ever. Whatever is done with a path of theirs on the main thread, be it to
 * start a command there, would hold up all clients. So another thread asks first. Paths on local file
 * systems are remembered and not asked for each time.
 */
class LocalFileSystems {
  /** Until when paths count as local, on the clock of `performance.now()`. */
  readonly #local = new Map<string, number>();
  /** Paths that are being asked for, each by one thread, of which the runtime has 32. */
  readonly #asked = new Map<string, Promise<boolean>>();

  has(path: string): boolean {
    return (this.#local.get(path) ?? 0) > performance.now();
  }

  ask(path: string): Promise<boolean> {
    if (this.has(path)) return Promise.resolve(true);
    const answer = this.#asked.get(path) ??
      this.#find(path).finally(() => this.#asked.delete(path));
    this.#asked.set(path, answer);
    return answer;
  }

  /** A path that does not exist is on the file system of its parent. */
  async #find(path: string): Promise<boolean> {
    const type = await fileSystemType(path);
    const parent = dirname(path);
    const found = type === undefined
      ? parent !== path && await this.ask(parent)
      : LOCAL_TYPES.has(type);
    if (found) {
      if (this.#local.size >= MAX_LOCAL) this.#local.clear();
      this.#local.set(path, performance.now() + LOCAL_MS);
    }
    return found;
  }
}

/** One for the program: what is mounted where does not depend on who asks. */
const fileSystems = new LocalFileSystems();

/**
 * Waits until the file systems that paths lead to have answered once, whatever the answer. Only the
 * caller waits: another thread asks. Elsewhere than on Linux nothing is asked.
 */
export async function waitForFileSystems(paths: Iterable<string>): Promise<void> {
  const unknown = Array.from(paths).filter((path) => !isKnownLocal(path));
  if (unknown.length > 0) await Promise.all(unknown.map(isLocal));
}

/** Whether {@linkcode isLocal} is known to be true of a path, and nobody has to be asked. */
export function isKnownLocal(path: string): boolean {
  return fileSystems.has(path);
}

/** Whether a path is on a file system that waits for no one outside of the kernel. */
export function isLocal(path: string): Promise<boolean> {
  return fileSystems.ask(path);
}

/** Undefined if there is nothing at the path. */
async function fileSystemType(path: string): Promise<bigint | undefined> {
  const answer = new DataView(new ArrayBuffer(STATFS_BYTES));
  const result = await libc()?.statfs(cString(path), new Uint8Array(answer.buffer));
  return result === 0 ? answer.getBigInt64(0, true) : undefined;
}
