import { type Descriptor } from "../../os/descriptor.ts";
import { isOnProc, Open } from "../../os/open_at.ts";
import { FileType, openDirectoryAt, tryOpenAt } from "../../os/path_calls.ts";
import { type ByteString, decodeByteString, fromByteString } from "./byte_strings.ts";
import { CallError, Errno } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import type { DescriptorScope } from "./descriptor_scope.ts";
import {
  foundAt,
  type FoundObject,
  isType,
  kernelPath,
  pathOf,
  refuseOwnProcess,
  requireDirectory,
  textOf,
} from "./found_object.ts";

/** As many links as the kernel follows before it gives up (path_resolution(7)). */
const MAX_LINKS = 40;
/**
 * As many names are walked one by one. The kernel sets no limit but those of links and paths, which
 * come to tens of thousands, and everybody else's calls would wait meanwhile.
 */
const MAX_STEPS = 4096;
/**
 * What a path may only lead to because the kernel takes whoever follows it for the caller: on proc(5) the
 * caller has other descriptors.
 */
const TOLD_BY_NAME: readonly number[] = [Errno.ELOOP, Errno.EACCES, Errno.ENOENT, Errno.ENOTDIR];
/** The inode of the root of proc(5). */
const PROC_ROOT_INODE = 1n;
const STICKY_AND_WRITABLE_BY_ALL = 0o1002;

/** Where a path leads. */
export type Place =
  /** To a name in a directory. */
  | {
    readonly kind: "entry";
    readonly directory: Descriptor;
    readonly directoryPath: string;
    readonly name: ByteString;
    /** Absolute, no link on the way. */
    readonly path: string;
    /** Undefined if there is nothing under that name. */
    readonly object: FoundObject | undefined;
    /** Whether the path says that it is a directory. */
    readonly mustBeDirectory: boolean;
  }
  /** To something by other ways than its name. */
  | {
    readonly kind: "object";
    /** As the kernel tells it; undefined if it has no name any more, or never had. */
    readonly path: string | undefined;
    readonly object: FoundObject;
    /** `.` or `..`, if the path ends so. */
    readonly dots: string | undefined;
  };

/** A name in a directory, and what it is of. */
export type Entry = Extract<Place, { kind: "entry" }>;
type ObjectPlace = Extract<Place, { kind: "object" }>;

/** The last name of a path, of which nothing is known. */
interface LastName {
  readonly kind: "name";
  readonly directory: Descriptor;
  readonly name: ByteString;
  readonly mustBeDirectory: boolean;
}

const DOT_DOT = fromByteString("..");

/** What becomes of a path, as far as it is not the path itself. */
interface Walk {
  links: number;
  steps: number;
}

/**
 * Follows paths as the kernel would for whoever made a call, but by descriptors: what was judged
 * is what is used, whatever becomes of the names.
 */
export class Resolver {
  readonly #scope: DescriptorScope;
  readonly #caller: Caller;
  /** A directory that is not on proc(5), as has been found out. */
  #elsewhere: Descriptor | undefined;

  /** @param scope holds the descriptors that places are made of */
  constructor(scope: DescriptorScope, caller: Caller) {
    this.#scope = scope;
    this.#caller = caller;
  }

  /**
   * Finds out where a path leads.
   *
   * @param base where a relative one begins: a descriptor of the caller, or AT_FDCWD
   * @param follow whether a link at its end is followed
   *   (`ifDirectory`: only if the path says that it is a directory)
   * @throws {CallError}
   */
  resolve(base: number, path: ByteString, follow: boolean | "ifDirectory"): Place {
    const walk: Walk = { links: 0, steps: 0 };
    let at = this.#begin(base, path);
    let rest = path;
    for (;;) {
      const reached = this.#walkToLast(at, rest, walk);
      if (reached.kind === "object") return reached;
      const { directory, name, mustBeDirectory } = reached;
      const found = this.#lookUp(directory, name);
      const isLink = found !== undefined && isType(found, FileType.Link);
      if (!isLink || !(follow === true || follow && mustBeDirectory)) {
        return this.#entry(directory, name, found, mustBeDirectory);
      }
      const next = this.#follow(directory, name, found, walk);
      if (typeof next !== "string") {
        if (mustBeDirectory) requireDirectory(next);
        return this.#objectAt(next, undefined);
      }
      if (next.startsWith("/")) at = this.#root();
      else at = directory;
      rest = mustBeDirectory ? `${next}/` : next;
    }
  }

  /**
   * Finds out where something new is to be made. What has the name already is not looked at: nothing new
   * can be made there, as the kernel says then.
   *
   * @param base where a relative path begins: a descriptor of the caller, or AT_FDCWD
   * @throws {CallError}
   */
  resolveNew(base: number, path: ByteString): Place {
    const reached = this.#walkToLast(this.#begin(base, path), path, { links: 0, steps: 0 });
    if (reached.kind === "object") return reached;
    return this.#entry(reached.directory, reached.name, undefined, reached.mustBeDirectory);
  }

  /** Whether something has the name at which something new was to be made. @throws {CallError} */
  isTaken({ directory, name }: Entry): boolean {
    return this.#lookUp(directory, name) !== undefined;
  }

  /** What one of the caller's descriptors is about. @throws {CallError} */
  descriptor(number: number): Place {
    return this.#object(this.#scope.hold(this.#caller.open(number)), undefined);
  }

  #root(): Descriptor {
    return this.#scope.hold(this.#caller.openRoot());
  }

  #begin(base: number, path: ByteString): Descriptor {
    if (path === "") throw new CallError(Errno.ENOENT);
    return path.startsWith("/") ? this.#root() : this.#scope.hold(this.#caller.open(base));
  }

  /** Walks as far as the directory that the last name of a path is in, if it ends with a name. */
  #walkToLast(at: Descriptor, path: ByteString, walk: Walk): LastName | ObjectPlace {
    const trimmed = path.replace(/\/+$/, "");
    if (trimmed === "") return this.#object(at, undefined);
    const slash = trimmed.lastIndexOf("/");
    const name = trimmed.slice(slash + 1);
    if (name === "." || name === "..") return this.#object(this.#walk(at, trimmed, walk), name);
    const directory = slash <= 0 ? at : this.#walk(at, trimmed.slice(0, slash), walk);
    return { kind: "name", directory, name, mustBeDirectory: trimmed.length < path.length };
  }

  #object(descriptor: Descriptor, dots: string | undefined): ObjectPlace {
    return this.#objectAt(foundAt(descriptor), dots);
  }

  #objectAt(object: FoundObject, dots: string | undefined): ObjectPlace {
    const path = pathOf(object);
    if (isOnProc(object.descriptor)) refuseOwnProcess(object.descriptor, path);
    return { kind: "object", path, object, dots };
  }

  #entry(
    directory: Descriptor,
    name: ByteString,
    object: FoundObject | undefined,
    mustBeDirectory: boolean,
  ): Place {
    const kernels = kernelPath(directory);
    if (!kernels.startsWith("/")) throw new CallError(Errno.EACCES);
    const directoryPath = decodeByteString(kernels);
    const path = `${directoryPath === "/" ? "" : directoryPath}/${decodeByteString(name)}`;
    if (directory !== this.#elsewhere && isOnProc(directory)) refuseOwnProcess(directory, path);
    if (object !== undefined && mustBeDirectory) requireDirectory(object);
    return { kind: "entry", directory, directoryPath, name, path, object, mustBeDirectory };
  }

  #lookUp(directory: Descriptor, name: ByteString): FoundObject | undefined {
    const held = tryOpenAt(directory, fromByteString(name), Open.PathOnly | Open.NoFollow);
    if (held === -Errno.ENOENT) return undefined;
    return foundAt(this.#scope.hold(held));
  }

  /** Holds the directory that a path without a link at its end leads to. */
  #walk(from: Descriptor, path: ByteString, walk: Walk): Descriptor {
    const relative = path.replace(/^\/+/, "");
    if (relative === "") return from;
    // Absolute links begin at the caller's root, which need not be that of this program.
    const held = openDirectoryAt(from, fromByteString(relative), !this.#caller.hasOwnMounts);
    if (held >= 0) {
      this.#scope.hold(held);
      // There the kernel took us for whoever made the call.
      if (!isOnProc(held)) return this.#elsewhere = held;
    } else if (!TOLD_BY_NAME.includes(-held)) {
      throw new CallError(-held);
    }
    const reached = this.#walkByName(from, relative, walk);
    requireDirectory(reached);
    return reached.descriptor;
  }

  /** Holds nothing of what it has come through. */
  #walkByName(from: Descriptor, path: ByteString, walk: Walk): FoundObject {
    let at = foundAt(from);
    const goTo = (next: FoundObject) => {
      if (at.descriptor !== from) this.#scope.release(at.descriptor);
      at = next;
    };
    // The next one is the last.
    const names = path.split("/").reverse();
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      if (name === "" || name === ".") continue;
      if (++walk.steps > MAX_STEPS) throw new CallError(Errno.ELOOP);
      requireDirectory(at);
      if (name === "..") {
        goTo(foundAt(this.#scope.hold(tryOpenAt(at.descriptor, DOT_DOT, Open.PathOnly))));
        continue;
      }
      const found = this.#lookUp(at.descriptor, name);
      if (found === undefined) throw new CallError(Errno.ENOENT);
      if (!isType(found, FileType.Link)) {
        goTo(found);
        continue;
      }
      const next = this.#follow(at.descriptor, name, found, walk);
      this.#scope.release(found.descriptor);
      if (typeof next !== "string") {
        goTo(next);
        continue;
      }
      names.push(...next.split("/").reverse());
      if (next.startsWith("/")) goTo(foundAt(this.#root()));
    }
    return at;
  }

  /** What a link says, or what it leads to if that is something else. */
  #follow(
    directory: Descriptor,
    name: ByteString,
    link: FoundObject,
    walk: Walk,
  ): ByteString | FoundObject {
    if (++walk.links > MAX_LINKS) throw new CallError(Errno.ELOOP);
    if (isOnProc(directory)) return this.#followOnProc(directory, name, link);
    this.#refuseForeignLink(directory, link);
    return textOf(link.descriptor);
  }

  #followOnProc(
    directory: Descriptor,
    name: ByteString,
    link: FoundObject,
  ): ByteString | FoundObject {
    const { process, thread } = this.#caller.numbersInProc;
    if (foundAt(directory).status.inode === PROC_ROOT_INODE) {
      if (name === "self") return String(process);
      if (name === "thread-self") return `${process}/task/${thread}`;
      return textOf(link.descriptor);
    }
    // This program's own, and those of others, are not the caller's to go through.
    const [, owner] = /^\/proc\/(\d+)\//.exec(`${kernelPath(directory)}/`) ?? [];
    if (owner !== String(process) || this.#caller.process === Deno.pid) {
      throw new CallError(Errno.EACCES);
    }
    const target = tryOpenAt(directory, fromByteString(name), Open.PathOnly);
    return foundAt(this.#scope.hold(target));
  }

  /** As the kernel does where it protects users from each other's links (proc_sys_fs(5)). */
  #refuseForeignLink(directory: Descriptor, link: FoundObject): void {
    const parent = foundAt(directory).status;
    const { mode, user } = parent;
    if ((mode & STICKY_AND_WRITABLE_BY_ALL) !== STICKY_AND_WRITABLE_BY_ALL) return;
    if (link.status.user !== user && link.status.user !== Deno.uid()) {
      throw new CallError(Errno.EACCES);
    }
  }
}
