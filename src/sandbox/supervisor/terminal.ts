import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { Open } from "../../os/open_at.ts";
import { FileType, type ObjectStatus, statusOf, tryOpenAt } from "../../os/path_calls.ts";
import { processStatus } from "../../os/procfs.ts";
import { fromByteString } from "./byte_strings.ts";
import type { Caller } from "./caller.ts";
import { type FoundObject, isType } from "./found_object.ts";

/** The numbers of the terminal that stands for each process's own, and of pseudo-terminals. */
const OWN_TERMINAL = { major: 5, minor: 0 };
const FIRST_PSEUDO_TERMINAL = 136;
const LAST_PSEUDO_TERMINAL = 143;

/** Where programs have their terminal; shells keep a copy as 255. */
const LIKELY_DESCRIPTORS = [0, 1, 2, 255];

/** Whether something is a terminal of those that a command can have. */
export function isTerminal(object: FoundObject): boolean {
  return isType(object, FileType.CharacterDevice) &&
    (isOwnTerminal(object.status) || isPseudoTerminal(object.status));
}

/**
 * Opens the controlling terminal that the caller, or the leader of its session, has open already, if
 * that is the terminal asked for. Undefined if not, or if none of them has one.
 *
 * Its name is nobody's to open, and `/dev/tty` is another's for whoever opens it.
 *
 * @param flags those of open(2) that matter to a terminal
 */
export function openOwnTerminal(
  caller: Caller,
  wanted: FoundObject,
  flags: number,
): Descriptor | undefined {
  const session = sessionOf(caller.process);
  if (session === undefined || session.terminal === undefined) return undefined;
  const { status } = wanted;
  if (!isOwnTerminal(status) && !isSame(status, session.terminal)) return undefined;
  for (const process of new Set([caller.process, session.leader])) {
    const found = findTerminal(process, session.terminal, wanted, flags);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Device {
  readonly major: number;
  readonly minor: number;
}

function findTerminal(
  process: number,
  terminal: Device,
  wanted: FoundObject,
  flags: number,
): Descriptor | undefined {
  for (const number of LIKELY_DESCRIPTORS) {
    const name = fromByteString(`/proc/${process}/fd/${number}`);
    const held = tryOpenAt(-1, name, Open.PathOnly);
    if (held < 0) continue;
    try {
      const status = statusOf(held);
      if (typeof status === "number" || !isSame(status, terminal)) continue;
      if (!isOn(status, wanted)) continue;
      const opened = tryOpenAt(-1, fromByteString(`/proc/self/fd/${held}`), flags);
      if (opened >= 0) return opened;
    } finally {
      closeDescriptor(held);
    }
  }
  return undefined;
}

/** The session of a process, and the terminal that controls it (proc_pid_stat(5)). */
function sessionOf(
  process: number,
): { readonly leader: number; readonly terminal: Device | undefined } | undefined {
  const status = processStatus(process);
  if (status === undefined) return undefined;
  const { session: leader, terminal: number } = status;
  // The number's bits are those of MKDEV in linux/kdev_t.h, as new_encode_dev puts them.
  const [major, minor] = [number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00];
  return { leader, terminal: number === 0 ? undefined : { major, minor } };
}

/** Every devpts numbers its terminals from 0: a sandbox may have one of its own. */
function isOn({ fileSystem }: ObjectStatus, { status }: FoundObject): boolean {
  return isOwnTerminal(status) || fileSystem === status.fileSystem;
}

function isOwnTerminal(status: ObjectStatus): boolean {
  return isSame(status, OWN_TERMINAL);
}

function isPseudoTerminal({ deviceMajor }: ObjectStatus): boolean {
  return deviceMajor >= FIRST_PSEUDO_TERMINAL && deviceMajor <= LAST_PSEUDO_TERMINAL;
}

function isSame({ mode, deviceMajor, deviceMinor }: ObjectStatus, { major, minor }: Device) {
  return (mode & FileType.Mask) === FileType.CharacterDevice && deviceMajor === major &&
    deviceMinor === minor;
}
