import type { Descriptor } from "../../os/descriptor.ts";
import { hasAttribute } from "../../os/xattr.ts";

const PERMISSIONS = 0o777;

/** The access control list that what is made in a directory gets, whatever masks say (acl(5)). */
const DEFAULT_LIST = "system.posix_acl_default";

/** The permissions with which something is made for a command. */
export interface CreationMode {
  /** What the kernel is asked for. It takes what this program's own mask says. */
  readonly mode: number;
  /** What the kernel takes and the command's mask does not, to be given afterwards. */
  readonly withheld: number;
}

/**
 * How to make something with the command's file mode creation mask. The threads of this program share
 * one mask: a thread could have one of its own by unshare(2) alone, which containers refuse.
 *
 * @param directory where it is made
 * @param mode what the command asked for
 * @param mask the command's
 * @param ownMask this program's
 */
export function creationMode(
  directory: Descriptor,
  mode: number,
  mask: number,
  ownMask: number,
): CreationMode {
  const differs = (mode & (mask ^ ownMask) & PERMISSIONS) !== 0;
  if (!differs || hasAttribute(`/proc/self/fd/${directory}`, DEFAULT_LIST)) {
    return { mode, withheld: 0 };
  }
  const left = mode & ~mask;
  return { mode: left, withheld: left & ownMask & PERMISSIONS };
}
