import { AT_FDCWD, RESOLVE_NO_SYMLINKS } from "../../os/constants.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { hasHadWriter } from "../../os/pipes.ts";
import { isOnProc, Open } from "../../os/open_at.ts";
import { FileType, setStatusFlags, statusOf, tryOpenAt } from "../../os/path_calls.ts";
import { type Answer, type BegunCall, LATER, type NamedPath } from "./answer.ts";
import { fromByteString } from "./byte_strings.ts";
import { allow, CallError, Errno, succeeded } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import type { CreationMode } from "./creation_mode.ts";
import { DescriptorScope } from "./descriptor_scope.ts";
import { type FileCalls, PERMISSION_BITS, requireObject } from "./file_calls.ts";
import { type FoundObject, isType } from "./found_object.ts";
import { type Entry, type Place, Resolver } from "./resolver.ts";
import { isTerminal, openOwnTerminal } from "./terminal.ts";

type OpenedAnswer = Extract<Answer, { kind: "descriptor" }>;

/** How often something may come to lead elsewhere while it is opened. */
const MAX_ATTEMPTS = 8;
const OPEN_HOW_BYTES = 24;
/** So many of a policy's calls may wait for somebody to write to a pipe: each takes a descriptor. */
const MAX_WAITING_READERS = 512;

const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;

const WRITES = Open.AccessMode | Open.Truncate;
/** What F_SETFL sets, but for O_NONBLOCK (fcntl(2)). */
const SETTABLE = Open.Append | Open.Direct | Open.NoAccessTime;

/** What opens something that is there. */
const NOTHING_MADE: CreationMode = { mode: 0, withheld: 0 };

/** Opens files on behalf of commands. */
export class Openings {
  readonly #calls: FileCalls;
  readonly #waiting = new Set<WaitingReader>();

  constructor(calls: FileCalls) {
    this.#calls = calls;
  }

  /** open(2) and its variants. @throws {CallError} */
  open(caller: Caller, named: NamedPath, flags: number, mode: number): Answer {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      using scope = new DescriptorScope();
      const answer = this.#tryOpen(new Resolver(scope, caller), caller, named, flags, mode);
      if (answer !== undefined) return answer;
    }
    throw new CallError(Errno.ELOOP);
  }

  /** Undefined if what was there has become something else. */
  #tryOpen(
    resolver: Resolver,
    caller: Caller,
    { base, path }: NamedPath,
    flags: number,
    mode: number,
  ): Answer | undefined {
    const exclusive = (flags & Open.Create) !== 0 && (flags & Open.Exclusive) !== 0;
    if (exclusive && (flags & Open.TemporaryBit) === 0) {
      return this.#makeFile(resolver, caller, { base, path }, flags, mode);
    }
    const follow = (flags & Open.NoFollow) === 0;
    const place = resolver.resolve(base, path, follow || "ifDirectory");
    if (flags & Open.TemporaryBit) return this.#openTemporary(place, caller, flags, mode);
    if (place.kind === "entry" && place.object === undefined) {
      if ((flags & Open.Create) === 0) throw new CallError(Errno.ENOENT);
      if (place.mustBeDirectory) throw new CallError(Errno.EISDIR);
      allow(this.#calls.judgeNew(place, false));
      return this.#openEntry(place, caller, flags, mode);
    }
    const object = requireObject(place);
    if (isType(object, FileType.Link)) throw new CallError(Errno.ELOOP);
    if ((flags & Open.Create) !== 0 && isType(object, FileType.Directory)) {
      throw new CallError(Errno.EISDIR);
    }
    if (isTerminal(object)) {
      const kept = withoutWaiting(flags & Open.AccessMode);
      const terminal = openOwnTerminal(caller, object, kept);
      if (terminal !== undefined) return this.#opened(terminal, flags, object.status.mode);
    }
    if (place.kind === "entry" && isOwnProcess(place, caller) && (flags & WRITES) === 0) {
      return this.#openOwnProcess(place, flags);
    }
    allow((flags & WRITES) === 0 ? this.#calls.judgeRead(place) : this.#calls.judgeWrite(place));
    if (place.kind === "object") return this.#reopen(object, flags, place.path !== undefined);
    // What is there is not created, but the kernel looks at the flag where users share a directory.
    const mayCreate = isShared(place.directory) && this.#calls.judgeNew(place, false) === 0;
    return this.#openEntry(place, caller, mayCreate ? flags : flags & ~Open.Create, mode);
  }

  /** What is made is nobody else's yet, so that there is nothing to wait for (O_EXCL in open(2)). */
  #makeFile(
    resolver: Resolver,
    caller: Caller,
    { base, path }: NamedPath,
    flags: number,
    mode: number,
  ): Answer {
    const place = resolver.resolveNew(base, path);
    if (place.kind === "object") throw new CallError(Errno.EEXIST);
    if (place.mustBeDirectory) throw new CallError(Errno.EISDIR);
    const refused = this.#calls.judgeNew(place, false);
    if (refused !== 0) throw new CallError(resolver.isTaken(place) ? Errno.EEXIST : refused);
    const { directory, name } = place;
    const wanted = mode & PERMISSION_BITS;
    const { mode: allowed, withheld } = this.#calls.creationMode(directory, wanted, caller);
    const how = openHow(flags & ~Open.Async | Open.NoTerminal | Open.CloseOnExec, allowed);
    const args = [
      directory,
      this.#calls.name.text(name),
      this.#calls.value.bytes(how),
      OPEN_HOW_BYTES,
    ];
    const file = succeeded(this.#calls.openAt2(args));
    this.#calls.give(file, withheld);
    return {
      ...answerWith(file, flags),
      closedFirst: this.#mustBeClosed(flags, allowed | withheld),
    };
  }

  /** Nothing is waited for meanwhile: it could take for ever, and others wait behind it. */
  #openEntry(
    { directory, name, object }: Entry,
    caller: Caller,
    flags: number,
    mode: number,
  ): Answer | undefined {
    const { mode: allowed, withheld } = (flags & Open.Create) === 0
      ? NOTHING_MADE
      : this.#calls.creationMode(directory, mode & PERMISSION_BITS, caller);
    // Nothing is given to what somebody else has made meanwhile.
    const exclusive = withheld === 0 ? 0 : Open.Exclusive;
    // O_NOFOLLOW would stay among the flags of the open file.
    const how = this.#calls.value.bytes(openHow(withoutWaiting(flags) | exclusive, allowed));
    const args = [directory, this.#calls.name.text(name), how, OPEN_HOW_BYTES];
    const result = this.#calls.openAt2(args);
    if (result === -Errno.EEXIST && (flags & Open.Exclusive) === 0) return undefined;
    if (result === -Errno.ELOOP) return undefined;
    if (result === -Errno.ENOENT && object !== undefined) return undefined;
    if (hasToWait(result, object, flags)) return LATER;
    this.#calls.give(succeeded(result), withheld);
    return object !== undefined && readsPipe(object, flags)
      ? this.#openWhenWritten(result, flags)
      : this.#opened(result, flags, object?.status.mode ?? allowed | withheld);
  }

  #reopen(object: FoundObject, flags: number, hasName: boolean): Answer {
    const path = this.#calls.pathTo(object);
    const kept = withoutWaiting(flags) & ~(Open.Create | Open.NoFollow);
    const result = this.#calls.perform("openat", [AT_FDCWD, path, kept, 0]);
    if (hasToWait(result, object, flags)) return LATER;
    // Nobody waits at a pipe without a name.
    return hasName && readsPipe(object, flags)
      ? this.#openWhenWritten(succeeded(result), flags)
      : this.#opened(succeeded(result), flags, object.status.mode);
  }

  #openWhenWritten(reader: Descriptor, flags: number): Answer {
    const answer = new WaitingReader(reader, flags, this.#waiting).goOn();
    if (this.#waiting.size <= MAX_WAITING_READERS || answer.kind !== "later") return answer;
    answer.begun?.[Symbol.dispose]();
    throw new CallError(Errno.ENFILE);
  }

  /**
   * What the kernel tells of a process is for those that may trace it (proc(5)): for the caller
   * itself, and for nobody who performs calls.
   */
  #openOwnProcess({ directory, name, path }: Entry, flags: number): Answer {
    allow(this.#calls.judge.read(path));
    const file = tryOpenAt(directory, fromByteString(name), withoutWaiting(flags) | Open.NoFollow);
    return openedToRead(succeeded(file), flags);
  }

  #openTemporary(place: Place, caller: Caller, flags: number, mode: number): Answer {
    const object = requireObject(place);
    if (!isType(object, FileType.Directory)) throw new CallError(Errno.ENOTDIR);
    allow(this.#calls.judgeChange(place));
    const dot = this.#calls.name.text(".");
    const allowed = this.#calls.creationMode(object.descriptor, mode & PERMISSION_BITS, caller);
    const args = [object.descriptor, dot, withoutWaiting(flags), allowed.mode];
    const file = succeeded(this.#calls.perform("openat", args));
    this.#calls.give(file, allowed.withheld);
    return this.#opened(file, flags, allowed.mode | allowed.withheld);
  }

  /** @param mode of what has been opened */
  #opened(descriptor: Descriptor, flags: number, mode: number): Answer {
    return { ...openedToRead(descriptor, flags), closedFirst: this.#mustBeClosed(flags, mode) };
  }

  #mustBeClosed(flags: number, mode: number): boolean {
    return (flags & Open.AccessMode) !== 0 && !this.#calls.staysUnexecutable(mode);
  }
}

function isOwnProcess({ directory, path }: Entry, caller: Caller): boolean {
  return path.startsWith("/proc/") && isOnProc(directory) &&
    caller.process !== Deno.pid && path.startsWith(`/proc/${caller.numbersInProc.process}/`);
}

/** For somebody at a pipe's other end, or for whoever has a lease on a file (fcntl(2)). */
function hasToWait(result: number, object: FoundObject | undefined, flags: number): boolean {
  if ((flags & Open.NonBlocking) !== 0 || object === undefined) return false;
  return result === -Errno.ENXIO && isType(object, FileType.Pipe) ||
    result === -Errno.EAGAIN && isType(object, FileType.Regular);
}

/** Whether a pipe is opened to be read, which waits for somebody to write (fifo(7)). */
function readsPipe(object: FoundObject, flags: number): boolean {
  return isType(object, FileType.Pipe) && (flags & (Open.AccessMode | Open.NonBlocking)) === 0;
}

/** The reading end of a named pipe, which is there for writers but not given out before one comes. */
class WaitingReader implements BegunCall {
  readonly #reader: Descriptor;
  readonly #flags: number;
  readonly #all: Set<WaitingReader>;

  /** @param all those that wait, of which this is one until it is over */
  constructor(reader: Descriptor, flags: number, all: Set<WaitingReader>) {
    this.#reader = reader;
    this.#flags = flags;
    this.#all = all.add(this);
  }

  goOn(): Answer {
    if (!hasHadWriter(this.#reader)) return { kind: "later", begun: this };
    this.#all.delete(this);
    return openedToRead(this.#reader, this.#flags);
  }

  [Symbol.dispose](): void {
    this.#all.delete(this);
    closeDescriptor(this.#reader);
  }
}

/** The terminal of whoever performs a call is not the command's. */
export function withoutWaiting(flags: number): number {
  const added = Open.NonBlocking | Open.NoTerminal | Open.CloseOnExec;
  return flags & ~Open.Async | added;
}

function openedToRead(descriptor: Descriptor, flags: number): OpenedAnswer {
  if ((flags & Open.NonBlocking) === 0) setStatusFlags(descriptor, flags & SETTABLE);
  return answerWith(descriptor, flags);
}

function answerWith(descriptor: Descriptor, flags: number): OpenedAnswer {
  const closeOnExec = (flags & Open.CloseOnExec) !== 0;
  return { kind: "descriptor", descriptor, closeOnExec, closedFirst: false };
}

/** `struct open_how`, for a name that is not that of a link (openat2(2)). */
function openHow(flags: number, mode: number): Uint8Array {
  const how = BigUint64Array.of(
    BigInt(flags & Open.All),
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
