import { Open } from "../../os/open_at.ts";
import type { Architecture, SeccompCondition } from "../seccomp/profile.ts";

/** Calls that can be handed over to a supervisor. */
export type CallName = keyof typeof callNumbers;

/** Why a call is handed over. */
export interface SupervisedGroups {
  /** Names are read-only or denied below a directory that may be written. */
  readonly names: boolean;
  /** Modes, owners, times and attributes may be changed in some places only. */
  readonly metadata: boolean;
  /** Names are denied below a directory that may be read. */
  readonly reads: boolean;
  /** Connections may be made to some ports of this machine's loopback. */
  readonly connections: boolean;
  /** Signals may be sent to processes of the same sandbox only, and Landlock does not see to it. */
  readonly signals: boolean;
}

/** One call that the filter hands over. */
export interface SupervisedCall {
  readonly call: CallName;
  readonly number: number;
  /** What has to hold of its arguments. */
  readonly when: readonly SeccompCondition[];
}

/** Numbers on x86-64 and aarch64; null where there is no such call (syscall_64.tbl, syscall.tbl). */
const callNumbers = {
  open: [2, null],
  openat: [257, 56],
  creat: [85, null],
  truncate: [76, 45],
  mkdir: [83, null],
  mkdirat: [258, 34],
  mknod: [133, null],
  mknodat: [259, 33],
  link: [86, null],
  linkat: [265, 37],
  symlink: [88, null],
  symlinkat: [266, 36],
  rename: [82, null],
  renameat: [264, 38],
  renameat2: [316, 276],
  unlink: [87, null],
  unlinkat: [263, 35],
  rmdir: [84, null],
  chmod: [90, null],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  chown: [92, null],
  lchown: [94, null],
  fchown: [93, 55],
  fchownat: [260, 54],
  utime: [132, null],
  utimes: [235, null],
  futimesat: [261, null],
  utimensat: [280, 88],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  socket: [41, 198],
  connect: [42, 203],
  kill: [62, 129],
  tkill: [200, 130],
  tgkill: [234, 131],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  pidfd_send_signal: [424, 424],
} as const satisfies Record<string, readonly [number | null, number | null]>;

/** Which opens change something: the others are handed over if names must not be read. */
const CHANGES = Open.AccessMode | Open.Create | Open.Truncate | Open.TemporaryBit;

const NAMES: readonly CallName[] = [
  "creat",
  "truncate",
  "mkdir",
  "mkdirat",
  "mknod",
  "mknodat",
  "link",
  "linkat",
  "symlink",
  "symlinkat",
  "rename",
  "renameat",
  "renameat2",
  "unlink",
  "unlinkat",
  "rmdir",
];

const METADATA: readonly CallName[] = [
  "chmod",
  "fchmod",
  "fchmodat",
  "fchmodat2",
  "chown",
  "lchown",
  "fchown",
  "fchownat",
  "utime",
  "utimes",
  "futimesat",
  "utimensat",
  "setxattr",
  "lsetxattr",
  "fsetxattr",
  "removexattr",
  "lremovexattr",
  "fremovexattr",
];

const SIGNALS: readonly CallName[] = [
  "kill",
  "tkill",
  "tgkill",
  "rt_sigqueueinfo",
  "rt_tgsigqueueinfo",
  "pidfd_send_signal",
];

/** The number of a call, which has to be there on this architecture. */
export function callNumber(call: CallName, architecture: Architecture): number | null {
  return callNumbers[call][architecture === "x86_64" ? 0 : 1];
}

/** The calls that are handed over. */
export function supervisedCalls(
  { names, metadata, reads, connections, signals }: SupervisedGroups,
  architecture: Architecture,
): SupervisedCall[] {
  const opens: [CallName, SeccompCondition[]][] = names || reads
    ? [["open", openConditions(1, reads)], ["openat", openConditions(2, reads)]]
    : [];
  const others: CallName[] = [
    ...names ? NAMES : [],
    ...metadata ? METADATA : [],
    ...connections ? ["socket", "connect"] as const : [],
    ...signals ? SIGNALS : [],
  ];
  const calls = [...opens, ...others.map((call): [CallName, SeccompCondition[]] => [call, []])];
  return calls.flatMap(([call, when]) => {
    const number = callNumber(call, architecture);
    return number === null ? [] : [{ call, number, when }];
  });
}

/**
 * What is opened only to name it (O_PATH) can be neither read nor changed by that, and what is then
 * done with it is handed over: the kernel does not let such a descriptor be given to the caller.
 */
function openConditions(argument: number, reads: boolean): SeccompCondition[] {
  const opens: SeccompCondition = { argument, mask: Open.PathOnly, oneOf: [0] };
  return reads ? [opens] : [opens, { argument, anyBitOf: CHANGES }];
}
