import { delay } from "@std/async/delay";
import { openWithoutLinks, pathTo } from "../../filesystem/linux/descriptors.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { isWithin } from "../native_path.ts";
import { isKernelType, type MountEntry, mountTable } from "./mount_table.ts";
import { sealDevices } from "./seal_devices.ts";

/** How often a wrapper is looked at that still sets up, in milliseconds. */
const CHECK_MS = 1;
/** Both sets of capabilities by which a process could still mount something, as proc(5) has them. */
const POWERLESS = /^CapPrm:\t0+\nCapEff:\t0+$/m;

/** A sandbox in which something else may be written than was judged. */
export class MountError extends Error {
  override readonly name = "MountError";
}

/** What may be written in a sandbox. */
export interface ExpectedMounts {
  /** Absolute paths, free of links when they were judged. */
  readonly granted: readonly string[];
  /** Where what is mounted writable is the sandbox's own, or nothing that the command could change. */
  readonly own: readonly string[];
  /** Whether the devices belong to the user of the command, who could change their modes and owners. */
  readonly sealDevices: boolean;
}

/**
 * Makes sure that a sandbox, which waits at its gate, lets write what was judged and nothing else.
 *
 * bubblewrap is told paths and follows the links that it finds there. One that has been put in the
 * place of a directory since that was judged would have it mount what the link leads to. File systems
 * of the kernel are not writable below any grant.
 *
 * @param pid the sandbox's first process
 * @throws {MountError}
 * @throws {NamespaceError} if its devices cannot be sealed
 */
export async function verifyMounts(pid: number, expected: ExpectedMounts): Promise<void> {
  await untilMounted(pid);
  if (expected.sealDevices) sealDevices(pid, mountsOf(pid), expected);
  const foreign = mountsOf(pid).find((mount) => mount.writable && !isExpected(mount, expected));
  if (foreign !== undefined) throw new MountError(`'${foreign.place}' could be written in it`);
  for (const path of expected.granted) {
    if (identity("/", path) === identity(`/proc/${pid}/root`, path)) continue;
    throw new MountError(`'${path}' has become something else meanwhile`);
  }
}

function isExpected({ place, type }: MountEntry, { granted, own }: ExpectedMounts): boolean {
  if (own.some((path) => isWithin(place, path))) return true;
  return !isKernelType(type) && granted.some((path) => isWithin(place, path));
}

function mountsOf(pid: number): MountEntry[] {
  try {
    return mountTable(pid);
  } catch {
    throw new MountError("it cannot be looked at");
  }
}

/** Waits until the first process has given up all capabilities, after which it mounts nothing more. */
async function untilMounted(pid: number): Promise<void> {
  for (;;) {
    let status: string;
    try {
      status = Deno.readTextFileSync(`/proc/${pid}/status`);
    } catch {
      throw new MountError("it cannot be looked at");
    }
    if (POWERLESS.test(status)) return;
    await delay(CHECK_MS);
  }
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
