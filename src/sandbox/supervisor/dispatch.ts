import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
} from "../../os/constants.ts";
import { Open } from "../../os/open_at.ts";
import { CallError, Errno } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import type { CallName } from "./calls.ts";
import type { Connections } from "./connections.ts";
import type { Answer, NamedPath, Subject } from "./answer.ts";
import type { Changes } from "./changes.ts";
import type { Openings } from "./openings.ts";
import type { Signals } from "./signals.ts";

/** A call whose arguments have been copied. Can be tried more than once. */
export type Operation = (operations: AllOperations) => Answer;

/** What can be done on a command's behalf. */
export interface AllOperations {
  readonly openings: Openings;
  readonly changes: Changes;
  readonly connections: Connections;
  readonly signals: Signals;
}

/** Copies the arguments of a call: what the command writes to its memory afterwards has no effect. */
type Reader = (caller: Caller, args: readonly bigint[]) => Operation;

/** XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h. */
const LONGEST_ATTRIBUTE_NAME = 255;
const LARGEST_ATTRIBUTE = 65_536n;
/** The size of `struct sockaddr_storage`. */
const LONGEST_ADDRESS = 128;
/** The size of `siginfo_t`. */
const SIGNAL_INFO_BYTES = 128;
const TIMES_BYTES = 32;
const OLD_TIMES_BYTES = 16;
const NANOSECONDS_A_MICROSECOND = 1000n;

const readers: Record<CallName, Reader> = {
  open: (caller, [path, flags, mode]) =>
    open(caller, at(caller, AT_FDCWD, path), int(flags), int(mode)),
  openat: (caller, [base, path, flags, mode]) =>
    open(caller, at(caller, int(base), path), int(flags), int(mode)),
  creat: (caller, [path, mode]) => {
    const flags = Open.Create | Open.WriteOnly | Open.Truncate;
    return open(caller, at(caller, AT_FDCWD, path), flags, int(mode));
  },
  truncate: (caller, [path, length = 0n]) => {
    const named = at(caller, AT_FDCWD, path);
    return ({ changes }) => changes.truncate(caller, named, BigInt.asIntN(64, length));
  },

  mkdir: (caller, [path, mode]) => makeDirectory(caller, at(caller, AT_FDCWD, path), mode),
  mkdirat: (caller, [base, path, mode]) => makeDirectory(caller, at(caller, int(base), path), mode),
  mknod: (caller, [path, mode, device]) =>
    makeNode(caller, at(caller, AT_FDCWD, path), mode, device),
  mknodat: (caller, [base, path, mode, device]) =>
    makeNode(caller, at(caller, int(base), path), mode, device),
  symlink: (caller, [text = 0n, path]) =>
    makeSymbolicLink(caller, text, at(caller, AT_FDCWD, path)),
  symlinkat: (caller, [text = 0n, base, path]) =>
    makeSymbolicLink(caller, text, at(caller, int(base), path)),
  link: (caller, [from, to]) => {
    const subject = subjectAt(caller, AT_FDCWD, from, false);
    return makeLink(caller, subject, at(caller, AT_FDCWD, to));
  },
  linkat: (caller, [fromBase, from, toBase, to, flags]) => {
    const subject = (int(flags) & AT_EMPTY_PATH) !== 0
      ? subjectOrDescriptor(caller, int(fromBase), from, int(flags))
      : subjectAt(caller, int(fromBase), from, (int(flags) & AT_SYMLINK_FOLLOW) !== 0);
    return makeLink(caller, subject, at(caller, int(toBase), to));
  },

  rename: (caller, [from, to]) =>
    rename(caller, at(caller, AT_FDCWD, from), at(caller, AT_FDCWD, to), 0),
  renameat: (caller, [fromBase, from, toBase, to]) =>
    rename(caller, at(caller, int(fromBase), from), at(caller, int(toBase), to), 0),
  renameat2: (caller, [fromBase, from, toBase, to, flags]) =>
    rename(caller, at(caller, int(fromBase), from), at(caller, int(toBase), to), int(flags)),
  unlink: (caller, [path]) => remove(caller, at(caller, AT_FDCWD, path), false),
  rmdir: (caller, [path]) => remove(caller, at(caller, AT_FDCWD, path), true),
  unlinkat: (caller, [base, path, flags]) =>
    remove(caller, at(caller, int(base), path), (int(flags) & AT_REMOVEDIR) !== 0),

  chmod: (caller, [path, mode]) => changeMode(caller, subjectAt(caller, AT_FDCWD, path), mode),
  fchmod: (caller, [descriptor, mode]) => changeMode(caller, descriptorAt(descriptor), mode),
  fchmodat: (caller, [base, path, mode]) =>
    changeMode(caller, subjectAt(caller, int(base), path), mode),
  fchmodat2: (caller, [base, path, mode, flags]) =>
    changeMode(caller, subjectOrDescriptor(caller, int(base), path, int(flags)), mode),

  chown: (caller, [path, user, group]) =>
    changeOwner(caller, subjectAt(caller, AT_FDCWD, path), user, group),
  lchown: (caller, [path, user, group]) =>
    changeOwner(caller, subjectAt(caller, AT_FDCWD, path, false), user, group),
  fchown: (caller, [descriptor, user, group]) =>
    changeOwner(caller, descriptorAt(descriptor), user, group),
  fchownat: (caller, [base, path, user, group, flags]) =>
    changeOwner(caller, subjectOrDescriptor(caller, int(base), path, int(flags)), user, group),

  utime: (caller, [path, times]) =>
    changeTimes(caller, subjectAt(caller, AT_FDCWD, path), seconds(caller, times)),
  utimes: (caller, [path, times]) =>
    changeTimes(caller, subjectAt(caller, AT_FDCWD, path), microseconds(caller, times)),
  futimesat: (caller, [base, path, times]) =>
    changeTimes(caller, subjectOrOpen(caller, base, path, 0), microseconds(caller, times)),
  utimensat: (caller, [base, path, times, flags]) =>
    changeTimes(caller, subjectOrOpen(caller, base, path, int(flags)), nanoseconds(caller, times)),

  setxattr: (caller, [path, ...rest]) =>
    setAttribute(caller, subjectAt(caller, AT_FDCWD, path), rest),
  lsetxattr: (caller, [path, ...rest]) =>
    setAttribute(caller, subjectAt(caller, AT_FDCWD, path, false), rest),
  fsetxattr: (caller, [descriptor, ...rest]) =>
    setAttribute(caller, descriptorAt(descriptor), rest),
  removexattr: (caller, [path, name]) =>
    removeAttribute(caller, subjectAt(caller, AT_FDCWD, path), name),
  lremovexattr: (caller, [path, name]) =>
    removeAttribute(caller, subjectAt(caller, AT_FDCWD, path, false), name),
  fremovexattr: (caller, [descriptor, name]) =>
    removeAttribute(caller, descriptorAt(descriptor), name),

  socket: (_, [family, type, protocol]) => ({ connections }) =>
    connections.open(int(family), int(type), int(protocol)),
  connect: (caller, [socket, address = 0n, length]) => {
    if (int(length) < 0 || int(length) > LONGEST_ADDRESS) throw new CallError(Errno.EINVAL);
    const bytes = caller.bytes(address, int(length));
    return ({ connections }) => connections.connect(caller, int(socket), bytes);
  },

  kill: (caller, [process, signal]) => ({ signals }) =>
    signals.send(caller, int(process), int(signal)),
  tkill: (caller, [thread, signal]) => ({ signals }) =>
    signals.sendToOwnThread(caller, int(thread), int(signal)),
  tgkill: (caller, [process]) => ({ signals }) => signals.sendWithinProcess(caller, int(process)),
  rt_sigqueueinfo: (caller, [process, signal, info]) => {
    const bytes = caller.bytes(info ?? 0n, SIGNAL_INFO_BYTES);
    return ({ signals }) => signals.queue(caller, int(process), int(signal), bytes);
  },
  rt_tgsigqueueinfo: (caller, [process]) => ({ signals }) =>
    signals.sendWithinProcess(caller, int(process)),
  pidfd_send_signal: (caller, [descriptor, signal, info = 0n, flags]) => {
    if (int(flags) !== 0) throw new CallError(Errno.EINVAL);
    const bytes = info === 0n ? null : caller.bytes(info, SIGNAL_INFO_BYTES);
    return ({ signals }) => signals.sendByDescriptor(caller, int(descriptor), int(signal), bytes);
  },
};

/** Copies the arguments of a call. @throws {CallError} if they cannot be read, or are not valid */
export function readCall(call: CallName, caller: Caller, args: readonly bigint[]): Operation {
  return readers[call](caller, args);
}

function open(caller: Caller, named: NamedPath, flags: number, mode: number): Operation {
  return ({ openings }) => openings.open(caller, named, flags, mode);
}

function makeDirectory(caller: Caller, named: NamedPath, mode: bigint | undefined): Operation {
  return ({ changes }) => changes.makeDirectory(caller, named, int(mode));
}

function makeNode(
  caller: Caller,
  named: NamedPath,
  mode: bigint | undefined,
  device: bigint | undefined,
): Operation {
  return ({ changes }) =>
    changes.makeNode(caller, named, int(mode), BigInt.asUintN(32, device ?? 0n));
}

function makeSymbolicLink(caller: Caller, address: bigint, named: NamedPath): Operation {
  const text = caller.text(address);
  return ({ changes }) => changes.makeSymbolicLink(caller, text, named);
}

function makeLink(caller: Caller, subject: Subject, named: NamedPath): Operation {
  return ({ changes }) => changes.makeLink(caller, subject, named);
}

function rename(caller: Caller, from: NamedPath, to: NamedPath, flags: number): Operation {
  return ({ changes }) => changes.rename(caller, from, to, flags);
}

function remove(caller: Caller, named: NamedPath, directory: boolean): Operation {
  return ({ changes }) => changes.remove(caller, named, directory);
}

function changeMode(caller: Caller, subject: Subject, mode: bigint | undefined): Operation {
  return ({ changes }) => changes.changeMode(caller, subject, int(mode));
}

function changeOwner(
  caller: Caller,
  subject: Subject,
  user: bigint | undefined,
  group: bigint | undefined,
): Operation {
  return ({ changes }) => changes.changeOwner(caller, subject, int(user), int(group));
}

function changeTimes(caller: Caller, subject: Subject, times: Uint8Array | undefined): Operation {
  return ({ changes }) => changes.changeTimes(caller, subject, times);
}

function setAttribute(
  caller: Caller,
  subject: Subject,
  [name, value = 0n, size = 0n, flags]: readonly bigint[],
): Operation {
  if (size > LARGEST_ATTRIBUTE) throw new CallError(Errno.E2BIG);
  const text = attributeName(caller, name);
  const bytes = caller.bytes(value, Number(size));
  return ({ changes }) => changes.setAttribute(caller, subject, text, bytes, int(flags));
}

function removeAttribute(caller: Caller, subject: Subject, name: bigint | undefined): Operation {
  const text = attributeName(caller, name);
  return ({ changes }) => changes.removeAttribute(caller, subject, text);
}

function attributeName(caller: Caller, address = 0n): string {
  const name = caller.text(address);
  if (name === "" || name.length > LONGEST_ATTRIBUTE_NAME) throw new CallError(Errno.ERANGE);
  return name;
}

function at(caller: Caller, base: number, path = 0n): NamedPath {
  return { base, path: caller.text(path) };
}

function subjectAt(
  caller: Caller,
  base: number,
  path: bigint | undefined,
  follow = true,
): Subject {
  return { kind: "path", ...at(caller, base, path), follow };
}

function descriptorAt(descriptor: bigint | undefined): Subject {
  return { kind: "descriptor", descriptor: int(descriptor) };
}

/** What calls with AT_EMPTY_PATH are about. */
function subjectOrDescriptor(
  caller: Caller,
  base: number,
  path: bigint | undefined,
  flags: number,
): Subject {
  const named = at(caller, base, path);
  if (named.path === "" && (flags & AT_EMPTY_PATH) !== 0) {
    return { kind: "descriptor", descriptor: base };
  }
  return { kind: "path", ...named, follow: (flags & AT_SYMLINK_NOFOLLOW) === 0 };
}

/** What calls are about that take no path at all for that of the open file. */
function subjectOrOpen(
  caller: Caller,
  base: bigint | undefined,
  path: bigint | undefined,
  flags: number,
): Subject {
  if (path !== 0n) return subjectOrDescriptor(caller, int(base), path, flags);
  if (int(base) === AT_FDCWD) throw new CallError(Errno.EFAULT);
  return descriptorAt(base);
}

/** `struct timespec`, as it is. */
function nanoseconds(caller: Caller, address = 0n): Uint8Array | undefined {
  return address === 0n ? undefined : caller.bytes(address, TIMES_BYTES);
}

/** `struct timeval`. */
function microseconds(caller: Caller, address = 0n): Uint8Array | undefined {
  if (address === 0n) return undefined;
  const [seconds = 0n, micros = 0n, otherSeconds = 0n, otherMicros = 0n] = new BigInt64Array(
    caller.bytes(address, TIMES_BYTES).buffer,
  );
  if (!isFraction(micros) || !isFraction(otherMicros)) throw new CallError(Errno.EINVAL);
  return timesBytes([
    seconds,
    micros * NANOSECONDS_A_MICROSECOND,
    otherSeconds,
    otherMicros * NANOSECONDS_A_MICROSECOND,
  ]);
}

/** `struct utimbuf`. */
function seconds(caller: Caller, address = 0n): Uint8Array | undefined {
  if (address === 0n) return undefined;
  const [access = 0n, change = 0n] = new BigInt64Array(
    caller.bytes(address, OLD_TIMES_BYTES).buffer,
  );
  return timesBytes([access, 0n, change, 0n]);
}

function isFraction(micros: bigint): boolean {
  return micros >= 0n && micros < 1_000_000n;
}

function timesBytes(times: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(times).buffer);
}

/** The kernel takes the low 32 bits of such arguments. */
function int(argument = 0n): number {
  return Number(BigInt.asIntN(32, argument));
}
