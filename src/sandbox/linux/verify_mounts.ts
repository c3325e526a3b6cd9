import { delay } from "@std/async/delay";
import { openWithoutLinks, pathTo } from "../../filesystem/linux/descriptors.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { isWithin } from "../native_path.ts";
import { GATE } from "./bubblewrap.ts";

/** What a sandbox has of its own. */
const OWN_PLACES = ["/dev", "/proc"];
/** The number of read(2), which differs between architectures. */
const SYS_READ = Deno.build.arch === "aarch64" ? 63 : 0;
/** A process that waits for the gate, as proc(5) says it of the system call that it is in. */
const AT_THE_GATE = new RegExp(`^${SYS_READ} 0x${GATE.toString(16)} `);
/** How often a wrapper is looked at that still sets up, in milliseconds. */
const CHECK_MS = 1;

/** A sandbox in which something else may be written than was judged. */
export class MountError extends Error {
  override readonly name = "MountError";
}

/**
 * Makes sure that a sandbox, which waits at its gate, lets write what was judged and nothing else.
 *
 * bubblewrap is told paths and follows the links that it finds there. One that has been put in the
 * place of a directory since that was judged would have it mount what the link leads to.
 *
 * @param pid the sandbox's first process
 * @param writable absolute paths, free of links when they were judged
 * @throws {MountError}
 */
export async function verifyMounts(pid: number, writable: readonly string[]): Promise<void> {
  await reachGate(pid);
  const places = [...writable, ...OWN_PLACES];
  const foreign = writableMounts(Deno.readTextFileSync(`/proc/${pid}/mountinfo`))
    .find((mount) => !places.some((place) => isWithin(mount, place)));
  if (foreign !== undefined) throw new MountError(`'${foreign}' could be written in it`);
  for (const path of writable) {
    if (identity("/", path) === identity(`/proc/${pid}/root`, path)) continue;
    throw new MountError(`'${path}' has become something else meanwhile`);
  }
}

async function reachGate(pid: number): Promise<void> {
  for (;;) {
    let call: string;
    try {
      call = Deno.readTextFileSync(`/proc/${pid}/syscall`);
    } catch {
      throw new MountError("it cannot be looked at");
    }
    if (AT_THE_GATE.test(call)) return;
    await delay(CHECK_MS);
  }
}

/** Where something is mounted for writing, unless something else is mounted over it (proc(5)). */
function writableMounts(mountinfo: string): string[] {
  const mounts = mountinfo.split("\n").filter((line) => line !== "").map((line) => {
    const [id = "", parent = "", , , place = "", options = ""] = line.split(" ");
    return { id, parent, place, writable: options.split(",").includes("rw") };
  });
  const covered = new Set(mounts.map(({ parent, place }) => `${parent} ${place}`));
  return mounts
    .filter(({ id, place, writable }) => writable && !covered.has(`${id} ${place}`))
    .map(({ place }) => place.replace(/\\([0-7]{3})/g, octalCharacter));
}

/** Blanks and backslashes are written so. */
function octalCharacter(_: string, digits: string): string {
  return String.fromCharCode(parseInt(digits, 8));
}

/** What is at a path below a root, if no name on the way is that of a link. */
function identity(root: string, path: string): string {
  try {
    const held = openWithoutLinks(path, root);
    try {
      const { dev, ino } = Deno.statSync(pathTo(held));
      return `${dev}:${ino}`;
    } finally {
      closeDescriptor(held);
    }
  } catch {
    throw new MountError(`'${path}' is not there any more`);
  }
}
