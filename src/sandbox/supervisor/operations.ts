import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  RESOLVE_NO_SYMLINKS,
  SYS_OPENAT2,
} from "../../os/constants.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import {
  FileType,
  isOnProc,
  openAt,
  OpenFlag,
  setStatusFlags,
  statusOf,
  truncateOpen,
} from "../../os/path_calls.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { type ByteString, fromByteString } from "./byte_strings.ts";
import { allow, CallError, Errno, succeeded } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import { type CallName, callNumber } from "./calls.ts";
import { type CreationMode, creationMode } from "./creation_mode.ts";
import { DescriptorScope } from "./descriptor_scope.ts";
import type { CallMaker } from "./performer.ts";
import { Pinned } from "./pinned.ts";
import { type PathJudge, unnamed } from "./policy.ts";
import { type FoundObject, isType, type Place, Resolver } from "./resolver.ts";
import { isTerminal, openOwnTerminal } from "./terminal.ts";

/** What a call returns. */
export type Answer =
  | { readonly kind: "result"; readonly result: number }
  /** A descriptor, which is then whoever's made the call, too; ours is to be closed. */
  | {
    readonly kind: "descriptor";
    readonly descriptor: Descriptor;
    readonly closeOnExec: boolean;
    readonly writable: boolean;
  }
  /** The kernel makes the call itself. */
  | { readonly kind: "goOn" }
  /** Nothing yet: the call has to wait, and can be tried again. */
  | { readonly kind: "later" };

/** A path as a call names it. */
export interface NamedPath {
  /** The descriptor of a directory, or AT_FDCWD. */
  readonly base: number;
  readonly path: ByteString;
}

/** What a call is about that changes something that is there. */
export type Subject =
  | NamedPath & { readonly kind: "path"; readonly follow: boolean | "ifDirectory" }
  | { readonly kind: "descriptor"; readonly descriptor: number };

type Entry = Extract<Place, { kind: "entry" }>;

const OPEN_HOW_BYTES = 24;

const RENAME_WHITEOUT = 4;

const PATH_BYTES = 4096;
/** XATTR_SIZE_MAX of linux/limits.h; times of two are 32 bytes. */
const VALUE_BYTES = 65_536;
/** How often something may come to lead elsewhere while it is opened. */
const MAX_ATTEMPTS = 8;
const PERMISSION_BITS = 0o7777;

const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;

const WRITES = OpenFlag.AccessMode | OpenFlag.Truncate;
/** What F_SETFL sets, but for O_NONBLOCK (fcntl(2)). */
const SETTABLE = OpenFlag.Append | OpenFlag.Direct | OpenFlag.NoAccessTime;

/** What opens something that is there. */
const NOTHING_MADE: CreationMode = { mode: 0, withheld: 0 };

const DONE: Answer = { kind: "result", result: 0 };
const LATER: Answer = { kind: "later" };

/** Does on behalf of a command what it has asked the kernel for, if it may. All throw `CallError`. */
export class Operations {
  readonly #judge: PathJudge;
  readonly #performer: CallMaker;
  readonly #architecture: Architecture;
  readonly #ownMask: number;
  readonly #name = new Pinned(PATH_BYTES);
  readonly #otherName = new Pinned(PATH_BYTES);
  readonly #value = new Pinned(VALUE_BYTES);

  /** @param ownMask this program's file mode creation mask */
  constructor(
    judge: PathJudge,
    performer: CallMaker,
    architecture: Architecture,
    ownMask: number,
  ) {
    this.#judge = judge;
    this.#performer = performer;
    this.#architecture = architecture;
    this.#ownMask = ownMask;
  }

  /** open(2) and its variants. */
  open(caller: Caller, named: NamedPath, flags: number, mode: number): Answer {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      using scope = new DescriptorScope();
      const answer = this.#tryOpen(new Resolver(scope, caller), caller, named, flags, mode);
      if (answer !== undefined) return answer;
    }
    throw new CallError(Errno.ELOOP);
  }

  /** truncate(2). */
  truncate(caller: Caller, named: NamedPath, length: bigint): Answer {
    return this.#change(caller, { kind: "path", ...named, follow: true }, (object) => {
      if (isType(object, FileType.Directory)) throw new CallError(Errno.EISDIR);
      if (!isType(object, FileType.Regular)) throw new CallError(Errno.EINVAL);
      // truncate(2) itself would wait for whoever has a lease on the file.
      const flags = withoutWaiting(OpenFlag.WriteOnly);
      const file = this.#perform("openat", [AT_FDCWD, this.#pathTo(object), flags, 0]);
      if (file === -Errno.EAGAIN) return LATER;
      try {
        return { kind: "result", result: truncateOpen(succeeded(file), length) };
      } finally {
        if (file >= 0) closeDescriptor(file);
      }
    });
  }

  /** mkdir(2). */
  makeDirectory(caller: Caller, named: NamedPath, mode: number): Answer {
    return this.#create(caller, named, true, (entry) => {
      const { directory, name } = entry;
      const allowed = this.#creationMode(directory, mode, caller);
      this.#make("mkdirat", [directory, this.#name.text(name), allowed.mode]);
      return this.#complete(entry, allowed);
    });
  }

  /** mknod(2). */
  makeNode(caller: Caller, named: NamedPath, mode: number, device: bigint): Answer {
    return this.#create(caller, named, false, (entry) => {
      const { directory, name } = entry;
      const allowed = this.#creationMode(directory, mode, caller);
      this.#make("mknodat", [directory, this.#name.text(name), allowed.mode, device]);
      return this.#complete(entry, allowed);
    });
  }

  /** symlink(2). */
  makeSymbolicLink(caller: Caller, text: ByteString, named: NamedPath): Answer {
    if (text === "") throw new CallError(Errno.ENOENT);
    return this.#create(
      caller,
      named,
      false,
      ({ directory, name }) =>
        this.#make("symlinkat", [this.#otherName.text(text), directory, this.#name.text(name)]),
    );
  }

  /** link(2): another name for what is there. */
  makeLink(caller: Caller, subject: Subject, named: NamedPath): Answer {
    using scope = new DescriptorScope();
    const source = this.#subject(new Resolver(scope, caller), subject);
    const object = requireObject(source);
    if (isType(object, FileType.Directory)) throw new CallError(Errno.EPERM);
    const refused = this.#judgeChange(source);
    // As from one mount to another.
    if (refused !== 0) throw new CallError(refused === Errno.EROFS ? Errno.EXDEV : refused);
    return this.#create(caller, named, false, ({ directory, name }) => {
      const target = this.#name.text(name);
      return this.#make("linkat", [
        AT_FDCWD,
        this.#pathTo(object),
        directory,
        target,
        AT_SYMLINK_FOLLOW,
      ]);
    });
  }

  /** rename(2) and its variants. */
  rename(caller: Caller, from: NamedPath, to: NamedPath, flags: number): Answer {
    if (flags & RENAME_WHITEOUT) throw new CallError(Errno.EPERM);
    using scope = new DescriptorScope();
    const resolver = new Resolver(scope, caller);
    const source = resolver.resolve(from.base, from.path, false);
    const target = resolver.resolve(to.base, to.path, false);
    if (source.kind === "object" || target.kind === "object") throw new CallError(Errno.EBUSY);
    if (source.object === undefined) throw new CallError(Errno.ENOENT);
    refuseMountRoot(source.object);
    refuseMountRoot(target.object);
    if (target.mustBeDirectory && !isType(source.object, FileType.Directory)) {
      throw new CallError(Errno.ENOTDIR);
    }
    allow(this.#judge.replace(source.directoryPath, source.path));
    allow(this.#judge.replace(target.directoryPath, target.path));
    return this.#make("renameat2", [
      source.directory,
      this.#name.text(source.name),
      target.directory,
      this.#otherName.text(target.name),
      flags,
    ]);
  }

  /** unlink(2) and rmdir(2). */
  remove(caller: Caller, named: NamedPath, directory: boolean): Answer {
    using scope = new DescriptorScope();
    const place = new Resolver(scope, caller).resolve(named.base, named.path, false);
    if (place.kind === "object") throw new CallError(removalError(place.dots, directory));
    if (place.object === undefined) throw new CallError(Errno.ENOENT);
    refuseMountRoot(place.object);
    allow(this.#judge.replace(place.directoryPath, place.path));
    const name = this.#name.text(place.name);
    return this.#make("unlinkat", [place.directory, name, directory ? AT_REMOVEDIR : 0]);
  }

  /** chmod(2) and its variants. */
  changeMode(caller: Caller, subject: Subject, mode: number): Answer {
    return this.#change(
      caller,
      subject,
      (object) => this.#make("fchmodat", [AT_FDCWD, this.#pathTo(object), mode]),
    );
  }

  /** chown(2) and its variants. */
  changeOwner(caller: Caller, subject: Subject, user: number, group: number): Answer {
    return this.#change(
      caller,
      subject,
      ({ descriptor }) =>
        this.#make("fchownat", [descriptor, this.#name.text(""), user, group, AT_EMPTY_PATH]),
    );
  }

  /**
   * utimensat(2) and its variants.
   *
   * @param times two of `struct timespec`, or undefined for now
   */
  changeTimes(caller: Caller, subject: Subject, times: Uint8Array | undefined): Answer {
    return this.#change(caller, subject, ({ descriptor }) =>
      this.#make("utimensat", [
        descriptor,
        this.#name.text(""),
        times === undefined ? 0 : this.#value.bytes(times),
        AT_EMPTY_PATH,
      ]));
  }

  /** setxattr(2) and its variants. */
  setAttribute(
    caller: Caller,
    subject: Subject,
    name: ByteString,
    value: Uint8Array,
    flags: number,
  ): Answer {
    return this.#change(caller, subject, (object) =>
      this.#make("setxattr", [
        this.#pathTo(object),
        this.#name.text(name),
        this.#value.bytes(value),
        value.length,
        flags,
      ]));
  }

  /** removexattr(2) and its variants. */
  removeAttribute(caller: Caller, subject: Subject, name: ByteString): Answer {
    return this.#change(
      caller,
      subject,
      (object) => this.#make("removexattr", [this.#pathTo(object), this.#name.text(name)]),
    );
  }

  /** Undefined if what was there has become something else. */
  #tryOpen(
    resolver: Resolver,
    caller: Caller,
    { base, path }: NamedPath,
    flags: number,
    mode: number,
  ): Answer | undefined {
    const exclusive = (flags & OpenFlag.Create) !== 0 && (flags & OpenFlag.Exclusive) !== 0;
    const follow = (flags & OpenFlag.NoFollow) === 0 && !exclusive;
    const place = resolver.resolve(base, path, follow || "ifDirectory");
    if (flags & OpenFlag.Temporary) return this.#openTemporary(place, caller, flags, mode);
    if (place.kind === "entry" && place.object === undefined) {
      if ((flags & OpenFlag.Create) === 0) throw new CallError(Errno.ENOENT);
      if (place.mustBeDirectory) throw new CallError(Errno.EISDIR);
      allow(this.#judgeNew(place, false));
      return this.#openEntry(place, caller, flags, mode);
    }
    const object = requireObject(place);
    if (exclusive) throw new CallError(Errno.EEXIST);
    if (isType(object, FileType.Link)) throw new CallError(Errno.ELOOP);
    if (isTerminal(object)) {
      const kept = withoutWaiting(flags & OpenFlag.AccessMode);
      const terminal = openOwnTerminal(caller, object, kept);
      if (terminal !== undefined) return opened(terminal, flags);
    }
    if (place.kind === "entry" && isOwnProcess(place, caller) && (flags & WRITES) === 0) {
      return this.#openOwnProcess(place, flags);
    }
    allow((flags & WRITES) === 0 ? this.#judgeRead(place) : this.#judgeWrite(place));
    if (place.kind === "object") return this.#reopen(object, flags);
    // What is there is not created, but the kernel looks at the flag where users share a directory.
    const mayCreate = isShared(place.directory) && this.#judgeNew(place, false) === 0;
    return this.#openEntry(place, caller, mayCreate ? flags : flags & ~OpenFlag.Create, mode);
  }

  /** Nothing is waited for meanwhile: it could take for ever, and others wait behind it. */
  #openEntry(
    { directory, name, object }: Entry,
    caller: Caller,
    flags: number,
    mode: number,
  ): Answer | undefined {
    const { mode: allowed, withheld } = (flags & OpenFlag.Create) === 0
      ? NOTHING_MADE
      : this.#creationMode(directory, mode & PERMISSION_BITS, caller);
    // Nothing is given to what somebody else has made meanwhile.
    const exclusive = withheld === 0 ? 0 : OpenFlag.Exclusive;
    // O_NOFOLLOW would stay among the flags of the open file.
    const how = this.#value.bytes(openHow(withoutWaiting(flags) | exclusive, allowed));
    const args = [directory, this.#name.text(name), how, OPEN_HOW_BYTES];
    const result = this.#performer.call(Number(SYS_OPENAT2), args);
    if (result === -Errno.EEXIST && (flags & OpenFlag.Exclusive) === 0) return undefined;
    if (result === -Errno.ELOOP) return undefined;
    if (result === -Errno.ENOENT && object !== undefined) return undefined;
    if (hasToWait(result, object, flags)) return LATER;
    this.#give(succeeded(result), withheld);
    return opened(result, flags);
  }

  #reopen(object: FoundObject, flags: number): Answer {
    const path = this.#pathTo(object);
    const kept = withoutWaiting(flags) & ~(OpenFlag.Create | OpenFlag.NoFollow);
    const result = this.#perform("openat", [AT_FDCWD, path, kept, 0]);
    if (hasToWait(result, object, flags)) return LATER;
    return opened(succeeded(result), flags);
  }

  /**
   * What the kernel tells of a process is for those that may trace it (proc(5)): for the caller
   * itself, and for nobody who performs calls.
   */
  #openOwnProcess({ directory, name, path }: Entry, flags: number): Answer {
    allow(this.#judge.read(path));
    const file = openAt(directory, fromByteString(name), withoutWaiting(flags) | OpenFlag.NoFollow);
    return opened(succeeded(file), flags);
  }

  #openTemporary(place: Place, caller: Caller, flags: number, mode: number): Answer {
    const object = requireObject(place);
    if (!isType(object, FileType.Directory)) throw new CallError(Errno.ENOTDIR);
    allow(this.#judgeChange(place));
    const dot = this.#name.text(".");
    const allowed = this.#creationMode(object.descriptor, mode & PERMISSION_BITS, caller);
    const args = [object.descriptor, dot, withoutWaiting(flags), allowed.mode];
    const file = succeeded(this.#perform("openat", args));
    this.#give(file, allowed.withheld);
    return opened(file, flags);
  }

  #creationMode(directory: Descriptor, mode: number, { mask }: Caller): CreationMode {
    return creationMode(directory, mode, mask, this.#ownMask);
  }

  /** Gives what has been made the permissions that were withheld. */
  #complete({ directory, name }: Entry, { withheld }: CreationMode): Answer {
    if (withheld === 0) return DONE;
    const flags = OpenFlag.PathOnly | OpenFlag.NoFollow;
    const made = openAt(directory, fromByteString(name), flags);
    // Somebody else has taken it away.
    if (made < 0) return DONE;
    try {
      this.#give(made, withheld);
    } finally {
      closeDescriptor(made);
    }
    return DONE;
  }

  #give(made: Descriptor, permissions: number): void {
    if (permissions === 0) return;
    const status = statusOf(made);
    if (typeof status === "number") return;
    const mode = status.mode & PERMISSION_BITS | permissions;
    this.#perform("fchmodat", [AT_FDCWD, this.#otherName.text(`/proc/self/fd/${made}`), mode]);
  }

  #create(
    caller: Caller,
    { base, path }: NamedPath,
    directory: boolean,
    make: (entry: Entry) => Answer,
  ): Answer {
    using scope = new DescriptorScope();
    const place = new Resolver(scope, caller).resolve(base, path, false);
    if (place.kind === "object" || place.object !== undefined) throw new CallError(Errno.EEXIST);
    if (place.mustBeDirectory && !directory) throw new CallError(Errno.ENOENT);
    allow(this.#judgeNew(place, directory));
    return make(place);
  }

  #change(caller: Caller, subject: Subject, make: (object: FoundObject) => Answer): Answer {
    using scope = new DescriptorScope();
    const place = this.#subject(new Resolver(scope, caller), subject);
    const object = requireObject(place);
    allow(this.#judgeChange(place));
    return make(object);
  }

  #subject(resolver: Resolver, subject: Subject): Place {
    return subject.kind === "descriptor"
      ? resolver.descriptor(subject.descriptor)
      : resolver.resolve(subject.base, subject.path, subject.follow || "ifDirectory");
  }

  /** A directory may be made on the way to what is protected, for that stays where it is then. */
  #judgeNew({ directoryPath, path }: Entry, directory: boolean): number {
    const refused = this.#judge.create(directoryPath, path);
    if (refused !== 0 || directory) return refused;
    return this.#judge.leadsToRestricted(path) ? Errno.EROFS : 0;
  }

  #judgeChange(place: Place): number {
    if (place.path !== undefined) return this.#judge.change(place.path);
    return judgeUnnamed(place);
  }

  #judgeWrite(place: Place): number {
    if (place.path !== undefined) return this.#judge.write(place.path);
    return judgeUnnamed(place);
  }

  #judgeRead(place: Place): number {
    if (place.path !== undefined) return this.#judge.read(place.path);
    return judgeUnnamed(place);
  }

  /** Leads the kernel to an open object itself, whatever has become of its name. */
  #pathTo({ descriptor }: FoundObject): bigint {
    return this.#otherName.text(`/proc/self/fd/${descriptor}`);
  }

  #make(call: CallName, args: readonly (number | bigint)[]): Answer {
    succeeded(this.#perform(call, args));
    return DONE;
  }

  #perform(call: CallName, args: readonly (number | bigint)[]): number {
    const number = callNumber(call, this.#architecture);
    if (number === null) throw new CallError(Errno.ENOSYS);
    return this.#performer.call(number, args);
  }
}

function isOwnProcess({ directory, path }: Entry, caller: Caller): boolean {
  return path.startsWith("/proc/") && isOnProc(directory) &&
    caller.process !== Deno.pid && path.startsWith(`/proc/${caller.numbersInProc.process}/`);
}

function judgeUnnamed(place: Place): number {
  const object = requireObject(place);
  return unnamed(isType(object, FileType.Pipe), object.status.links > 0);
}

function requireObject({ object }: Place): FoundObject {
  if (object === undefined) throw new CallError(Errno.ENOENT);
  return object;
}

/**
 * What something is mounted over stays where it is (rename(2), EBUSY). The kernel sees to that for
 * the mounts of whoever makes the call, which are not those of the command that asks for it.
 */
function refuseMountRoot(object: FoundObject | undefined): void {
  if (object?.status.isMountRoot === true) throw new CallError(Errno.EBUSY);
}

/** For somebody at a pipe's other end, or for whoever has a lease on a file (fcntl(2)). */
function hasToWait(result: number, object: FoundObject | undefined, flags: number): boolean {
  if ((flags & OpenFlag.NonBlocking) !== 0 || object === undefined) return false;
  return result === -Errno.ENXIO && isType(object, FileType.Pipe) ||
    result === -Errno.EAGAIN && isType(object, FileType.Regular);
}

/** The terminal of whoever performs a call is not the command's. */
function withoutWaiting(flags: number): number {
  const added = OpenFlag.NonBlocking | OpenFlag.NoTerminal | OpenFlag.CloseOnExec;
  return flags & ~OpenFlag.Async | added;
}

function opened(descriptor: Descriptor, flags: number): Answer {
  if ((flags & OpenFlag.NonBlocking) === 0) {
    setStatusFlags(descriptor, flags & SETTABLE);
  }
  return copied(descriptor, flags);
}

function copied(descriptor: Descriptor, flags: number): Answer {
  const closeOnExec = (flags & OpenFlag.CloseOnExec) !== 0;
  const writable = (flags & OpenFlag.AccessMode) !== 0;
  return { kind: "descriptor", descriptor, closeOnExec, writable };
}

/** `struct open_how`, for a name that is not that of a link (openat2(2)). */
function openHow(flags: number, mode: number): Uint8Array {
  const how = BigUint64Array.of(
    BigInt(flags & OpenFlag.All),
    BigInt(mode),
    RESOLVE_NO_SYMLINKS,
  );
  return new Uint8Array(how.buffer);
}

/** As `protected_regular` and `protected_fifos` have it (proc_sys_fs(5)). */
function isShared(directory: Descriptor): boolean {
  const status = statusOf(directory);
  return typeof status !== "number" && (status.mode & STICKY) !== 0 &&
    (status.mode & WRITABLE_BY_OTHERS) !== 0;
}

function removalError(dots: string | undefined, directory: boolean): number {
  if (!directory) return Errno.EISDIR;
  if (dots === ".") return Errno.EINVAL;
  return dots === ".." ? Errno.ENOTEMPTY : Errno.EBUSY;
}
