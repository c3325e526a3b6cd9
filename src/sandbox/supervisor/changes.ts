import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW } from "../../os/constants.ts";
import { closeDescriptor } from "../../os/descriptor.ts";
import { Open } from "../../os/open_at.ts";
import { FileType, truncateOpen, tryOpenAt } from "../../os/path_calls.ts";
import { type Answer, DONE, LATER, type NamedPath, type Subject } from "./answer.ts";
import { type ByteString, fromByteString } from "./byte_strings.ts";
import { allow, CallError, Errno, succeeded } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import type { CreationMode } from "./creation_mode.ts";
import { DescriptorScope } from "./descriptor_scope.ts";
import { type FileCalls, requireObject } from "./file_calls.ts";
import { withoutWaiting } from "./openings.ts";
import { type FoundObject, isType } from "./found_object.ts";
import { type Entry, type Place, Resolver } from "./resolver.ts";

const RENAME_WHITEOUT = 4;

/** Makes, moves, removes and changes files on behalf of commands. All throw `CallError`. */
export class Changes {
  readonly #calls: FileCalls;

  constructor(calls: FileCalls) {
    this.#calls = calls;
  }

  /** truncate(2). */
  truncate(caller: Caller, named: NamedPath, length: bigint): Answer {
    return this.#change(caller, { kind: "path", ...named, follow: true }, (object) => {
      if (isType(object, FileType.Directory)) throw new CallError(Errno.EISDIR);
      if (!isType(object, FileType.Regular)) throw new CallError(Errno.EINVAL);
      // truncate(2) itself would wait for whoever has a lease on the file.
      const flags = withoutWaiting(Open.WriteOnly);
      const file = this.#calls.perform("openat", [AT_FDCWD, this.#calls.pathTo(object), flags, 0]);
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
      const allowed = this.#calls.creationMode(directory, mode, caller);
      this.#calls.make("mkdirat", [directory, this.#calls.name.text(name), allowed.mode]);
      return this.#complete(entry, allowed);
    });
  }

  /** mknod(2). */
  makeNode(caller: Caller, named: NamedPath, mode: number, device: bigint): Answer {
    return this.#create(caller, named, false, (entry) => {
      const { directory, name } = entry;
      const allowed = this.#calls.creationMode(directory, mode, caller);
      this.#calls.make("mknodat", [directory, this.#calls.name.text(name), allowed.mode, device]);
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
        this.#calls.make("symlinkat", [
          this.#calls.otherName.text(text),
          directory,
          this.#calls.name.text(name),
        ]),
    );
  }

  /** link(2): another name for what is there. */
  makeLink(caller: Caller, subject: Subject, named: NamedPath): Answer {
    using scope = new DescriptorScope();
    const source = this.#subject(new Resolver(scope, caller), subject);
    const object = requireObject(source);
    if (isType(object, FileType.Directory)) throw new CallError(Errno.EPERM);
    const refused = this.#calls.judgeChange(source);
    // As from one mount to another.
    if (refused !== 0) throw new CallError(refused === Errno.EROFS ? Errno.EXDEV : refused);
    return this.#create(caller, named, false, ({ directory, name }) => {
      const target = this.#calls.name.text(name);
      return this.#calls.make("linkat", [
        AT_FDCWD,
        this.#calls.pathTo(object),
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
    allow(this.#calls.judge.replace(source.directoryPath, source.path));
    allow(this.#calls.judge.replace(target.directoryPath, target.path));
    return this.#calls.make("renameat2", [
      source.directory,
      this.#calls.name.text(source.name),
      target.directory,
      this.#calls.otherName.text(target.name),
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
    allow(this.#calls.judge.replace(place.directoryPath, place.path));
    const name = this.#calls.name.text(place.name);
    return this.#calls.make("unlinkat", [place.directory, name, directory ? AT_REMOVEDIR : 0]);
  }

  /** chmod(2) and its variants. */
  changeMode(caller: Caller, subject: Subject, mode: number): Answer {
    return this.#change(
      caller,
      subject,
      (object) => this.#calls.make("fchmodat", [AT_FDCWD, this.#calls.pathTo(object), mode]),
    );
  }

  /** chown(2) and its variants. */
  changeOwner(caller: Caller, subject: Subject, user: number, group: number): Answer {
    return this.#change(
      caller,
      subject,
      ({ descriptor }) =>
        this.#calls.make("fchownat", [
          descriptor,
          this.#calls.name.text(""),
          user,
          group,
          AT_EMPTY_PATH,
        ]),
    );
  }

  /**
   * utimensat(2) and its variants.
   *
   * @param times two of `struct timespec`, or undefined for now
   */
  changeTimes(caller: Caller, subject: Subject, times: Uint8Array | undefined): Answer {
    return this.#change(caller, subject, ({ descriptor }) =>
      this.#calls.make("utimensat", [
        descriptor,
        this.#calls.name.text(""),
        times === undefined ? 0 : this.#calls.value.bytes(times),
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
      this.#calls.make("setxattr", [
        this.#calls.pathTo(object),
        this.#calls.name.text(name),
        this.#calls.value.bytes(value),
        value.length,
        flags,
      ]));
  }

  /** removexattr(2) and its variants. */
  removeAttribute(caller: Caller, subject: Subject, name: ByteString): Answer {
    return this.#change(
      caller,
      subject,
      (object) =>
        this.#calls.make("removexattr", [this.#calls.pathTo(object), this.#calls.name.text(name)]),
    );
  }

  /** Gives what has been made the permissions that were withheld. */
  #complete({ directory, name }: Entry, { withheld }: CreationMode): Answer {
    if (withheld === 0) return DONE;
    const flags = Open.PathOnly | Open.NoFollow;
    const made = tryOpenAt(directory, fromByteString(name), flags);
    // Somebody else has taken it away.
    if (made < 0) return DONE;
    try {
      this.#calls.give(made, withheld);
    } finally {
      closeDescriptor(made);
    }
    return DONE;
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
    allow(this.#calls.judgeNew(place, directory));
    return make(place);
  }

  #change(caller: Caller, subject: Subject, make: (object: FoundObject) => Answer): Answer {
    using scope = new DescriptorScope();
    const place = this.#subject(new Resolver(scope, caller), subject);
    const object = requireObject(place);
    allow(this.#calls.judgeChange(place));
    return make(object);
  }

  #subject(resolver: Resolver, subject: Subject): Place {
    return subject.kind === "descriptor"
      ? resolver.descriptor(subject.descriptor)
      : resolver.resolve(subject.base, subject.path, subject.follow || "ifDirectory");
  }
}

/**
 * What something is mounted over stays where it is (rename(2), EBUSY). The kernel sees to that for
 * the mounts of whoever makes the call, which are not those of the command that asks for it.
 */
function refuseMountRoot(object: FoundObject | undefined): void {
  if (object?.status.isMountRoot === true) throw new CallError(Errno.EBUSY);
}

function removalError(dots: string | undefined, directory: boolean): number {
  if (!directory) return Errno.EISDIR;
  if (dots === ".") return Errno.EINVAL;
  return dots === ".." ? Errno.ENOTEMPTY : Errno.EBUSY;
}
