import { AT_FDCWD, SYS_OPENAT2 } from "../../os/constants.ts";
import type { Descriptor } from "../../os/descriptor.ts";
import { FileType, statusOf } from "../../os/path_calls.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { type Answer, DONE } from "./answer.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import { type CallName, callNumber } from "./calls.ts";
import { type CreationMode, creationMode } from "./creation_mode.ts";
import type { CallMaker } from "./performer.ts";
import { Pinned } from "./pinned.ts";
import { type PathJudge, unnamed } from "./policy.ts";
import { type FoundObject, isType } from "./found_object.ts";
import type { Entry, Place } from "./resolver.ts";

const PATH_BYTES = 4096;
/** XATTR_SIZE_MAX of linux/limits.h; times of two are 32 bytes. */
const VALUE_BYTES = 65_536;

/** The bits of a mode that chmod(2) sets. */
export const PERMISSION_BITS = 0o7777;
const EXECUTABLE_BITS = 0o111;

/** What calls are given the addresses of, one call after the other. */
export class CallMemory {
  readonly name = new Pinned(PATH_BYTES);
  readonly otherName = new Pinned(PATH_BYTES);
  readonly value = new Pinned(VALUE_BYTES);
}

/** What calls on files are made with. */
export interface FileCallOptions {
  readonly judge: PathJudge;
  readonly performer: CallMaker;
  readonly memory: CallMemory;
  readonly architecture: Architecture;
  /** This program's file mode creation mask. */
  readonly ownMask: number;
  /** Whether changes of modes are handed over, too, for what may be written. */
  readonly servesModes: boolean;
}

/** Judges places on behalf of commands, and has calls on files made. All throw `CallError`. */
export class FileCalls {
  readonly judge: PathJudge;
  readonly name: Pinned;
  readonly otherName: Pinned;
  readonly value: Pinned;
  readonly #performer: CallMaker;
  readonly #architecture: Architecture;
  readonly #ownMask: number;
  readonly #servesModes: boolean;

  constructor(options: FileCallOptions) {
    const { judge, performer, memory, architecture, ownMask, servesModes } = options;
    this.judge = judge;
    this.name = memory.name;
    this.otherName = memory.otherName;
    this.value = memory.value;
    this.#performer = performer;
    this.#architecture = architecture;
    this.#ownMask = ownMask;
    this.#servesModes = servesModes;
  }

  /** Whether a file of a mode cannot be executed before another call about it has been served. */
  staysUnexecutable(mode: number): boolean {
    return this.#servesModes && (mode & EXECUTABLE_BITS) === 0;
  }

  /**
   * The error of making something at a place, or 0. A directory may be made on the way to what is
   * protected, for that stays where it is then.
   */
  judgeNew({ directoryPath, path }: Entry, directory: boolean): number {
    const refused = this.judge.create(directoryPath, path);
    if (refused !== 0 || directory) return refused;
    return this.judge.leadsToRestricted(path) ? Errno.EROFS : 0;
  }

  /** The error of changing what is at a place (mode, owner, times); 0 if it may be changed. */
  judgeChange(place: Place): number {
    if (place.path !== undefined) return this.judge.change(place.path);
    return judgeUnnamed(place);
  }

  /** The error of opening it for writing, or 0. */
  judgeWrite(place: Place): number {
    if (place.path !== undefined) return this.judge.write(place.path);
    return judgeUnnamed(place);
  }

  /** The error of opening it for reading, or 0. */
  judgeRead(place: Place): number {
    if (place.path !== undefined) return this.judge.read(place.path);
    return judgeUnnamed(place);
  }

  /** Leads the kernel to an open object itself, whatever has become of its name. */
  pathTo({ descriptor }: FoundObject): bigint {
    return this.otherName.text(`/proc/self/fd/${descriptor}`);
  }

  /** With which mode something is made, and what is to be given to it then. */
  creationMode(directory: Descriptor, mode: number, { mask }: Caller): CreationMode {
    return creationMode(directory, mode, mask, this.#ownMask);
  }

  /** Gives what has been made the permissions that were withheld. */
  give(made: Descriptor, permissions: number): void {
    if (permissions === 0) return;
    const status = statusOf(made);
    if (typeof status === "number") return;
    const mode = status.mode & PERMISSION_BITS | permissions;
    this.perform("fchmodat", [AT_FDCWD, this.otherName.text(`/proc/self/fd/${made}`), mode]);
  }

  /** Has a call made that returns nothing. */
  make(call: CallName, args: readonly (number | bigint)[]): Answer {
    succeeded(this.perform(call, args));
    return DONE;
  }

  /** Has a call made. Returns what it does: a negative number is an error's. */
  perform(call: CallName, args: readonly (number | bigint)[]): number {
    const number = callNumber(call, this.#architecture);
    if (number === null) throw new CallError(Errno.ENOSYS);
    return this.#performer.call(number, args);
  }

  /** Has openat2(2) made, which has one number on all architectures. Returns what the call does. */
  openAt2(args: readonly (number | bigint)[]): number {
    return this.#performer.call(Number(SYS_OPENAT2), args);
  }
}

function judgeUnnamed(place: Place): number {
  const object = requireObject(place);
  return unnamed(isType(object, FileType.Pipe), object.status.links > 0);
}

/** What is at a place. @throws {CallError} ENOENT if there is nothing */
export function requireObject({ object }: Place): FoundObject {
  if (object === undefined) throw new CallError(Errno.ENOENT);
  return object;
}
