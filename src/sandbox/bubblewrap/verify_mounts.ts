import { openWithoutLinks } from "../../os/open_at.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { type FileStatus, FileType, knownStatusOf } from "../../os/file_status.ts";
import { ancestorsOf, isWithin } from "../../os/native_path.ts";
import type { NamespaceEntry } from "../linux/host.ts";
import { OWN_DEVICES } from "../kernel_files.ts";
import { isKernelType, type MountEntry, mountTable } from "../../os/mount_table.ts";
import { keepLaterMountsOut, type MountKeeping } from "./keep_mounts_out.ts";
import { sealDevices } from "./seal_devices.ts";

/** A sandbox in which something else may be written than was judged. */
export class MountError extends Error {
  override readonly name = "MountError";
}

/** What may be written in a sandbox. */
export interface ExpectedMounts {
  /** Absolute paths, free of links when they were judged. */
  readonly granted: readonly string[];
  /** Absolute paths, free of links, at which the host's own is to be seen, to be written or not. */
  readonly bound: readonly string[];
  /** Where something has to be mounted that cannot be written. */
  readonly covered: readonly string[];
  /** What is mounted at just these places is the sandbox's own, or what programs share anyway. */
  readonly own: readonly string[];
  /**
   * How to make the devices read-only first, and /proc if it is not: the devices belong to the user of
   * the command, who could change their modes and owners. Undefined where they do not.
   */
  readonly sealDevices: NamespaceEntry | undefined;
  /** How to keep out what the host mounts later. Undefined where all files are granted. */
  readonly laterMounts: MountKeeping | undefined;
}

/**
 * Makes sure that a sandbox, in which nothing more is mounted, lets write what was judged and nothing else.
 *
 * bubblewrap is told paths and follows the links that it finds there. One that has been put in the
 * place of a directory since that was judged would have it mount what the link leads to. File systems
 * of the kernel are not writable below any grant.
 *
 * @param pid the sandbox's first process
 * @throws {MountError}
 * @throws {NamespaceError} if its devices cannot be sealed, or what is mounted later not be kept out
 */
export async function verifyMounts(
  pid: number,
  expected: ExpectedMounts,
): Promise<void> {
  const { bound, covered, sealDevices: sealedBy, laterMounts } = expected;
  const outside = bound.map((path) => lookUp("/", path));
  const mounts = laterMounts === undefined
    ? mountsOf(pid)
    : await mountsWithoutLater(pid, laterMounts);
  const sealed = sealedBy === undefined ? [] : await sealDevices(pid, mounts, expected, sealedBy);
  const isHostsOwn = hostsOwnMounts();
  const foreign = mounts.find((mount) =>
    mount.writable && !sealed.includes(mount) && !isExpected(mount, expected, isHostsOwn) &&
    !isOutOfReach(pid, mount)
  );
  if (foreign !== undefined) throw new MountError(`'${foreign.place}' could be written in it`);
  const places = new Map(mounts.map((mount) => [mount.place, mount]));
  bound.forEach((path, index) => {
    const inside = lookUp(`/proc/${pid}/root`, path);
    if (!isSame(inside, outside[index]) || !isMountedBy(inside, places.get(path))) {
      throw changed(path);
    }
  });
  for (const path of covered) {
    if (places.get(path)?.writable === false) continue;
    throw new MountError(`nothing protects '${path}' in it`);
  }
}

function isExpected(
  { place, type }: MountEntry,
  { granted, own, sealDevices }: ExpectedMounts,
  isHostsOwn: (place: string) => boolean,
): boolean {
  if (own.includes(place) || sealDevices === undefined && isWithin(place, OWN_DEVICES)) return true;
  if (isKernelType(type) || !granted.some((path) => isWithin(place, path))) return false;
  // What somebody moved there while bubblewrap mounted over it was not asked for.
  return granted.includes(place) || isHostsOwn(place);
}

/** Tells where something writable is mounted on the host, which is found out when it is first asked. */
function hostsOwnMounts(): (place: string) => boolean {
  let places: ReadonlySet<string> | undefined;
  return (place) => {
    places ??= new Set(
      mountTable("self").filter(({ writable }) => writable).map(({ place }) => place),
    );
    return places.has(place);
  };
}

/**
 * Whether a directory of somebody else's on the way cannot be entered, as with what another user has
 * mounted at home or a container engine keeps for itself. bubblewrap cannot make such a mount
 * read-only. The command is the same user, and cannot enter it either. A directory of that user's own
 * could be opened while the command runs.
 */
function isOutOfReach(pid: number, { place }: MountEntry): boolean {
  for (const directory of ancestorsOf(place)) {
    try {
      // Searching the directory is what takes the right; its own status was had by the one before.
      Deno.lstatSync(`/proc/${pid}/root${directory}/.`);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied) || directory === "/") return false;
      return Deno.lstatSync(`/proc/${pid}/root${directory}`).uid !== Deno.uid();
    }
  }
  return false;
}

/** What is mounted for a process, to which nothing is added from outside any more. */
async function mountsWithoutLater(pid: number, keeping: MountKeeping): Promise<MountEntry[]> {
  const mounts = mountsOf(pid);
  if (!mounts.some(({ follows }) => follows)) return mounts;
  await keepLaterMountsOut(pid, keeping);
  return mountsOf(pid);
}

function mountsOf(pid: number): MountEntry[] {
  try {
    return mountTable(pid);
  } catch {
    throw new MountError("it cannot be looked at");
  }
}

/**
 * What is at a path below a root, if no name of it is that of a link. One in the path's own place is the
 * same inside and outside, whatever has been mounted while it was not there.
 *
 * @throws {MountError}
 */
function lookUp(root: string, path: string): FileStatus {
  let held: Descriptor | undefined;
  try {
    held = openWithoutLinks(path, root);
    const status = knownStatusOf(held);
    if (status.type !== FileType.Link) return status;
  } catch {
    throw new MountError(`'${path}' is not there any more`);
  } finally {
    if (held !== undefined) closeDescriptor(held);
  }
  throw changed(path);
}

function isSame(one: FileStatus, other: FileStatus | undefined): boolean {
  return one.inode === other?.inode && one.device === other.device;
}

/** Whether it is what is mounted there, and not something beside it that has got its name since. */
function isMountedBy({ mount }: FileStatus, entry: MountEntry | undefined): boolean {
  return mount === undefined || entry !== undefined && `${mount}` === entry.id;
}

function changed(path: string): MountError {
  return new MountError(`'${path}' has become something else meanwhile`);
}
