import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import {
  isOnKernelFileSystem,
  isOnProc,
  linkText,
  Open,
  openAt,
  pathTo,
} from "../../os/open_at.ts";
import { SystemError } from "../../os/errno.ts";
import { invalidRequest } from "../../protocol/errors.ts";
import { childOf } from "../../os/native_path.ts";
import { isNotFound } from "../io_error.ts";
import { type AccessPolicy, isProcessesPath } from "./access_policy.ts";
import { basename } from "@std/path/posix";

/** As many links as the kernel follows before it gives up (path_resolution(7)). */
const MAX_LINKS = 40;
/** Bytes of the longest path that the kernel takes (PATH_MAX, without the NUL at its end). */
const MAX_PATH_BYTES = 4095;

/** A directory on the way, or what is at the way's end. */
interface Step {
  readonly descriptor: Descriptor;
  /** Absolute, with every link on the way resolved. */
  readonly path: string;
}

/** What a path was resolved to, held by descriptors: it stays that, whatever becomes of the names. */
export class ResolvedPath implements Disposable {
  /** Free of links, whether there is something or not. The policy decides by it. */
  readonly path: string;
  /** What is there, if there is something. */
  readonly object: Descriptor | undefined;
  readonly #directory: Descriptor;

  constructor(directory: Step, object: Step | undefined, path: string) {
    this.path = path;
    this.object = object?.descriptor;
    this.#directory = directory.descriptor;
  }

  /** One name below the directory. Functions of the system must not follow a link there. */
  get name(): string {
    return `${pathTo(this.#directory)}/${basename(this.path)}`;
  }

  /** Whether what is there, or would be, is on a file system that shows the kernel. */
  isKernels(): boolean {
    return isOnKernelFileSystem(this.object ?? this.#directory);
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#directory);
    if (this.object !== undefined && this.object !== this.#directory) closeDescriptor(this.object);
  }
}

/**
 * Resolves an absolute path one name at a time, as openat2(2) does beneath a directory. The kernel
 * never follows a link on the way: the link is read, and what it says is resolved in the same way.
 *
 * The kernel is never asked for `..` either. It leads back to the directory before, so that nobody
 * gets out of a directory by moving it meanwhile.
 *
 * @throws {RpcError} at the first name that may not even be passed, whether it is there or not
 * @throws {SystemError} if something on the way is missing or no directory, or the path is longer
 * than any that the kernel takes
 */
export function resolveBeneath(
  path: string,
  policy: AccessPolicy,
  followLast: boolean,
): ResolvedPath {
  if (path.includes("\0")) throw invalidRequest("file name contained an unexpected NUL byte");
  refuseLong(path);
  const root = { descriptor: openAt(-1, "/", Open.PathOnly | Open.Directory), path: "/" };
  const steps: [Step, ...Step[]] = [root];
  try {
    const missing = walk(steps, path, policy, followLast);
    const last = steps.at(-1) ?? root;
    const resolved = missing === undefined
      ? new ResolvedPath(steps.at(-2) ?? last, last, last.path)
      : new ResolvedPath(last, undefined, missing);
    for (const step of steps.slice(0, missing === undefined ? -2 : -1)) closeStep(step);
    return resolved;
  } catch (error) {
    steps.forEach(closeStep);
    throw error;
  }
}

/**
 * What is in a directory under a name; a link is not followed.
 *
 * @param path the path of that name, free of links; the policy decides by it
 * @throws {RpcError} if it may not even be passed
 * @throws {SystemError}
 */
export function openChild(
  directory: Descriptor,
  name: string,
  path: string,
  policy: AccessPolicy,
): Descriptor {
  if (!policy.isPassable(path)) throw policy.refusal(path, "read");
  if (policy.isHidden(path)) throw new SystemError("ENOENT");
  const descriptor = openAt(directory, name, Open.PathOnly | Open.NoFollow);
  try {
    refuseProcesses({ descriptor, path });
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

/**
 * Adds a step for each name, and takes the last back for `..`.
 *
 * @returns the path at which there is nothing, if its directory was reached
 */
function walk(
  steps: [Step, ...Step[]],
  path: string,
  policy: AccessPolicy,
  followLast: boolean,
): string | undefined {
  const names = namesOf(path);
  for (let links = 0;;) {
    const name = names.pop();
    const from = steps.at(-1) ?? steps[0];
    if (name === undefined) return undefined;
    if (name === "." || name === "..") {
      refuseUnlessDirectory(from);
      if (name === ".." && steps.length > 1) closeStep(steps.pop() ?? from);
      continue;
    }
    const next = childOf(from.path, name);
    let descriptor: Descriptor;
    try {
      descriptor = openChild(from.descriptor, name, next, policy);
    } catch (error) {
      if (isNotFound(error) && error instanceof SystemError && isLast(names)) return next;
      throw error;
    }
    steps.push({ descriptor, path: next });
    if (names.length === 0 && !followLast) continue;
    const text = linkText(descriptor);
    if (text === undefined) continue;
    refuseForeignLink(from.descriptor, descriptor);
    closeStep(steps.pop() ?? from);
    if (++links > MAX_LINKS) throw new SystemError("ELOOP");
    if (text === "") throw new SystemError("ENOENT");
    if (text.startsWith("/")) steps.splice(1).forEach(closeStep);
    names.push(...namesOf(text));
  }
}

/** The names of a path, the first at the end. One at its end says that it leads to a directory. */
function namesOf(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (/\/\.?$/.test(path) && names.length > 0) names.push(".");
  return names.reverse();
}

/** Each name costs a descriptor and a look at the grants, and there can be millions. */
function refuseLong(path: string): void {
  if (path.length > MAX_PATH_BYTES || new TextEncoder().encode(path).length > MAX_PATH_BYTES) {
    throw new SystemError("ENAMETOOLONG");
  }
}

function isLast(names: readonly string[]): boolean {
  return names.every((name) => name === ".");
}

function refuseUnlessDirectory({ descriptor }: Step): void {
  closeDescriptor(openAt(descriptor, ".", Open.PathOnly | Open.Directory));
}

/** What tells of processes may be mounted in other places too. */
function refuseProcesses({ descriptor, path }: Step): void {
  if (!isProcessesPath(path) && isOnProc(descriptor)) throw new SystemError("EACCES");
}

function closeStep({ descriptor }: Step): void {
  closeDescriptor(descriptor);
}

const STICKY_AND_WRITABLE_BY_ALL = 0o1002;

/** Whose something is, and what others may do with it. */
type Ownership = Pick<Deno.FileInfo, "uid" | "mode">;

let protects: boolean | undefined;

/**
 * Refuses a link that the kernel would not follow either, where it has been told to protect its
 * users from each other's links (`protected_symlinks`, proc_sys_fs(5)).
 *
 * @throws {SystemError} EACCES
 */
function refuseForeignLink(directory: Descriptor, link: Descriptor): void {
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
