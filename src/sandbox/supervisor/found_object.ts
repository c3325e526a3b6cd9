import { existsSync } from "node:fs";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { isWithin } from "../../os/native_path.ts";
import { Open } from "../../os/open_at.ts";
import {
  FileType,
  type ObjectStatus,
  readLinkAt,
  statusOf,
  tryOpenAt,
} from "../../os/path_calls.ts";
import { type ByteString, decodeByteString, fromByteString, toByteString } from "./byte_strings.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";

const LONGEST_PATH = 4096;
const linkText = new Uint8Array(new ArrayBuffer(LONGEST_PATH));
const ITSELF = fromByteString("");

/** Something that is there. */
export interface FoundObject {
  /** Only holds it. */
  readonly descriptor: Descriptor;
  readonly status: ObjectStatus;
}

/** What is held by a descriptor. @throws {CallError} */
export function foundAt(descriptor: Descriptor): FoundObject {
  const status = statusOf(descriptor);
  if (typeof status === "number") throw new CallError(-status);
  return { descriptor, status };
}

/** Whether something is of a type. */
export function isType({ status }: FoundObject, type: number): boolean {
  return (status.mode & FileType.Mask) === type;
}

/** @throws {CallError} ENOTDIR */
export function requireDirectory(object: FoundObject): void {
  if (!isType(object, FileType.Directory)) throw new CallError(Errno.ENOTDIR);
}

/**
 * Refuses what is about this program. The kernel lets its threads open their own process's memory and
 * environment, so it would give them to whoever such a thread opens files for.
 *
 * @param object on a proc file system
 * @param path its own, or of something in it; undefined if it has none any more
 * @throws {CallError} EACCES, also for a proc file system that is not the one of `/proc`: there this
 * program has another number
 */
export function refuseOwnProcess(object: Descriptor, path: string | undefined): void {
  if (path === undefined || !isWithin(path, "/proc")) throw new CallError(Errno.EACCES);
  if (!showsThisProgram(object)) return;
  const numbers = path.split("/").filter((name) => /^\d+$/.test(name));
  if (numbers.some((number) => existsSync(`/proc/self/task/${number}`))) {
    throw new CallError(Errno.EACCES);
  }
}

/**
 * Whether something on a proc file system is on the one that this program sees. A sandbox's own is
 * another, on which the numbers of this program's threads are those of the sandbox's processes.
 */
function showsThisProgram(object: Descriptor): boolean {
  const own = succeeded(tryOpenAt(-1, fromByteString("/proc"), Open.PathOnly));
  try {
    return foundAt(object).status.fileSystem === foundAt(own).status.fileSystem;
  } finally {
    closeDescriptor(own);
  }
}

/** Where the kernel says that an open object is (proc_pid_fd(5)). */
export function kernelPath(object: Descriptor): ByteString {
  const count = readLinkAt(-1, fromByteString(`/proc/self/fd/${object}`), linkText);
  if (succeeded(count) === LONGEST_PATH) throw new CallError(Errno.ENAMETOOLONG);
  return toByteString(linkText, count);
}

/** Where the kernel says that an open object is; undefined if it has no name. */
export function pathOf({ descriptor, status }: FoundObject): string | undefined {
  const path = kernelPath(descriptor);
  if (!path.startsWith("/")) return undefined;
  // Without a link left it is not any other file's name that ends so.
  const deleted = path.endsWith(" (deleted)") && status.links === 0;
  return deleted ? undefined : decodeByteString(path);
}

/** What a link says. @throws {CallError} */
export function textOf(link: Descriptor): ByteString {
  const count = readLinkAt(link, ITSELF, linkText);
  if (succeeded(count) === LONGEST_PATH) throw new CallError(Errno.ENAMETOOLONG);
  return toByteString(linkText, count);
}
