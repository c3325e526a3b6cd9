import type { Descriptor } from "../../native/descriptor.ts";
import { pathTo } from "../linux/descriptors.ts";
import { SystemError } from "../linux/system_error.ts";

const STICKY_AND_WRITABLE_BY_ALL = 0o1002;

/** Whose something is, and what others may do with it. */
export type Ownership = Pick<Deno.FileInfo, "uid" | "mode">;

let protects: boolean | undefined;

/**
 * Refuses a link that the kernel would not follow either, where it has been told to protect its
 * users from each other's links (`protected_symlinks`, proc_sys_fs(5)).
 *
 * @throws {SystemError} EACCES
 */
export function refuseForeignLink(directory: Descriptor, link: Descriptor): void {
  protects ??= protectsLinks();
  if (!protects) return;
  const [parent, itself] = [Deno.statSync(pathTo(directory)), Deno.statSync(pathTo(link))];
  if (isForeignLink(parent, itself, Deno.uid())) throw new SystemError("EACCES");
}

/**
 * Whether a link may be somebody's trap: in a directory like /tmp it belongs neither to whom it is
 * about to lead nor to whom the directory belongs.
 */
export function isForeignLink(directory: Ownership, link: Ownership, user: number | null): boolean {
  const bits = (directory.mode ?? 0) & STICKY_AND_WRITABLE_BY_ALL;
  return bits === STICKY_AND_WRITABLE_BY_ALL && link.uid !== user && link.uid !== directory.uid;
}

function protectsLinks(): boolean {
  try {
    return Deno.readTextFileSync("/proc/sys/fs/protected_symlinks").trim() !== "0";
  } catch {
    return true;
  }
}
