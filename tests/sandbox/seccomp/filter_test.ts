import { assert, assertEquals } from "@std/assert";
import { type NetworkMode, seccompFilter } from "../../../src/sandbox/seccomp/filter.ts";
import type {
  Architecture,
  SeccompProfile,
  SeccompRule,
} from "../../../src/sandbox/seccomp/profile.ts";
import { runBpf } from "./bpf_interpreter.ts";

type Verdict = "allow" | "EPERM" | "ENOSYS" | "kill";

const architectures: Architecture[] = ["x86_64", "aarch64"];
const networks: NetworkMode[] = ["enabled", "restricted", "proxied", "proxiedWithBinding"];
const auditArchitectures = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 };
const I386 = 0x4000_0003;
const ARM = 0x4000_0028;

const verdicts: Record<number, Verdict> = {
  [0x7fff_0000]: "allow",
  [0x0005_0001]: "EPERM",
  [0x0005_0026]: "ENOSYS",
  [0x8000_0000]: "kill",
};

/** Numbers on x86-64 and on aarch64; -1 where there is no such call. */
const calls = {
  read: [0, 63],
  write: [1, 64],
  ioctl: [16, 29],
  execve: [59, 221],
  futex: [202, 98],
  openat: [257, 56],
  exit_group: [231, 94],
  clone: [56, 220],
  clone3: [435, 435],
  vfork: [58, -1],
  mknod: [133, -1],
  mknodat: [259, 33],
  socket: [41, 198],
  socketpair: [53, 199],
  connect: [42, 203],
  bind: [49, 200],
  listen: [50, 201],
  accept: [43, 202],
  accept4: [288, 242],
  sendto: [44, 206],
  recvfrom: [45, 207],
  sendmsg: [46, 211],
  recvmsg: [47, 212],
  sendmmsg: [307, 269],
  recvmmsg: [299, 243],
  shutdown: [48, 210],
  getsockname: [51, 204],
  getpeername: [52, 205],
  setsockopt: [54, 208],
  getsockopt: [55, 209],
  seccomp: [317, 277],
  pidfd_open: [434, 434],
  pidfd_send_signal: [424, 424],
  landlock_restrict_self: [446, 446],
} satisfies Record<string, [number, number]>;

type Call = keyof typeof calls;

const alwaysDenied: Record<string, [number, number]> = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_getfd: [438, 438],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  setns: [308, 268],
  unshare: [272, 97],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_by_handle_at: [304, 265],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  keyctl: [250, 219],
  kexec_load: [246, 104],
  init_module: [175, 105],
  finit_module: [313, 273],
};

/** The verdict on both architectures, which have to agree. */
function verdict(network: NetworkMode, call: Call, ...values: (number | bigint)[]): Verdict {
  const [first, ...others] = architectures.flatMap((architecture, index) => {
    const number = calls[call][index] ?? -1;
    return number < 0 ? [] : [verdictOn(architecture, network, number, values)];
  });
  assert(first !== undefined);
  for (const other of others) assertEquals(other, first, `${call} differs`);
  return first;
}

const programs = new Map<string, Uint8Array>();

function verdictOn(
  architecture: Architecture,
  network: NetworkMode,
  number: number,
  values: (number | bigint)[] = [],
  foreign?: number,
): Verdict {
  const key = `${architecture} ${network}`;
  const program = programs.get(key) ?? seccompFilter({ architecture, network });
  programs.set(key, program);
  const audit = foreign ?? auditArchitectures[architecture];
  return toVerdict(runBpf(program, { architecture: audit, number, arguments: values }));
}

function toVerdict(result: number): Verdict {
  const known = verdicts[result];
  assert(known !== undefined, `unexpected result ${result.toString(16)}`);
  return known;
}

const UNIX = 1, INET = 2, INET6 = 10, NETLINK = 16, PACKET = 17, ALG = 38, VSOCK = 40;
const STREAM = 1, DGRAM = 2, RAW = 3, SEQPACKET = 5;
const CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const FASTOPEN = 0x2000_0000;

Deno.test("seccompFilter: denied in every network mode, whatever the arguments", () => {
  for (const network of networks) {
    for (const [name, numbers] of Object.entries(alwaysDenied)) {
      for (const [index, architecture] of architectures.entries()) {
        const number = numbers[index] ?? -1;
        assertEquals(verdictOn(architecture, network, number), "EPERM", name);
        assertEquals(verdictOn(architecture, network, number, [-1n, -1n, -1n]), "EPERM", name);
      }
    }
  }
});

Deno.test("seccompFilter: ordinary calls pass in every network mode", () => {
  const ordinary: Call[] = [
    "read",
    "write",
    "ioctl",
    "execve",
    "futex",
    "openat",
    "exit_group",
    "clone",
    "vfork",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "shutdown",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "seccomp",
    "pidfd_open",
    "pidfd_send_signal",
    "landlock_restrict_self",
  ];
  for (const network of networks) {
    for (const call of ordinary) assertEquals(verdict(network, call), "allow", call);
  }
});

Deno.test("seccompFilter: clone makes processes and threads but no namespaces", () => {
  const SIGCHLD = 17;
  const threads = 0x3d0f00;
  const vforkFlags = 0x4100 | SIGCHLD;
  for (const flags of [SIGCHLD, threads, vforkFlags]) {
    assertEquals(verdict("restricted", "clone", flags), "allow");
  }
  const namespaces = [
    0x0002_0000,
    0x0200_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
  ];
  for (const flag of namespaces) {
    assertEquals(verdict("enabled", "clone", flag | SIGCHLD), "EPERM", flag.toString(16));
    // The kernel drops the upper half of the flags, so that it hides nothing.
    assertEquals(verdict("enabled", "clone", 0xffff_ffff_0000_0000n | BigInt(flag)), "EPERM");
  }
  for (const network of networks) assertEquals(verdict(network, "clone3"), "ENOSYS");
});

Deno.test("seccompFilter: no typing into terminals", () => {
  const TIOCSTI = 0x5412, TIOCLINUX = 0x541c, TCGETS = 0x5401, TIOCSWINSZ = 0x5414;
  for (const network of networks) {
    for (const request of [TIOCSTI, TIOCLINUX]) {
      assertEquals(verdict(network, "ioctl", 0, request), "EPERM");
      assertEquals(verdict(network, "ioctl", 0, 0x1_0000_0000n | BigInt(request)), "EPERM");
    }
    for (const request of [TCGETS, TIOCSWINSZ]) {
      assertEquals(verdict(network, "ioctl", 0, request), "allow");
    }
  }
});

Deno.test("seccompFilter: no trees made by drivers of file systems, which no rule on paths sees", () => {
  // BTRFS_IOC_SUBVOL_CREATE, BTRFS_IOC_SNAP_CREATE_V2, BCH_IOCTL_SUBVOLUME_CREATE, OCFS2_IOC_REFLINK,
  // FS_IOC_ENABLE_VERITY
  const refused = [0x5000_940e, 0x5000_9417, 0x4020_bc10, 0x4018_6f04, 0x4080_6685];
  const FICLONE = 0x4004_9409, FS_IOC_GETFLAGS = 0x8008_6601;
  for (const network of networks) {
    for (const request of refused) {
      assertEquals(verdict(network, "ioctl", 0, request), "EPERM", request.toString(16));
    }
    for (const request of [FICLONE, FS_IOC_GETFLAGS]) {
      assertEquals(verdict(network, "ioctl", 0, request), "allow");
    }
  }
});

Deno.test("seccompFilter: no device nodes", () => {
  const modes: [number, Verdict][] = [
    [0o020666, "EPERM"],
    [0o060666, "EPERM"],
    [0o010666, "allow"],
    [0o100666, "allow"],
    [0o140666, "allow"],
    [0o000666, "allow"],
  ];
  for (const [mode, expected] of modes) {
    assertEquals(verdict("enabled", "mknod", 0, mode), expected);
    assertEquals(verdict("enabled", "mknodat", 0, 0, mode), expected);
  }
});

Deno.test("seccompFilter: an enabled network leaves unix and internet sockets alone", () => {
  for (const domain of [UNIX, INET, INET6]) {
    assertEquals(verdict("enabled", "socket", domain, DGRAM), "allow");
    assertEquals(verdict("enabled", "socket", domain, STREAM | CLOEXEC_NONBLOCK, 6), "allow");
  }
  const open: Call[] = ["connect", "bind", "listen", "accept", "accept4", "sendmmsg", "sendmsg"];
  for (const call of open) assertEquals(verdict("enabled", call), "allow", call);
  assertEquals(verdict("enabled", "sendto", 3, 0, 0, FASTOPEN, 0x1000), "allow");
  assertEquals(verdict("enabled", "socketpair", UNIX, DGRAM), "allow");
});

Deno.test("seccompFilter: an enabled network is not the kernel's drivers, nor virtual hosts", () => {
  assertEquals(verdict("enabled", "socket", NETLINK, RAW, 0), "allow");
  for (const protocol of [1, 4, 9, 12, 15, 16, 0xffff_ffff]) {
    assertEquals(verdict("enabled", "socket", NETLINK, RAW, protocol), "EPERM", `${protocol}`);
  }
  for (const domain of [0, 3, 4, 9, 17, 29, 30, 31, 38, 40, 41, 43, 44, 0xffff_ffff]) {
    assertEquals(verdict("enabled", "socket", domain, STREAM), "EPERM", `domain ${domain}`);
    assertEquals(verdict("enabled", "socketpair", domain, STREAM), "EPERM", `domain ${domain}`);
  }
});

Deno.test("seccompFilter: pairs are of unix stream or seqpacket sockets", () => {
  for (const network of networks.slice(1)) {
    for (const type of [STREAM, SEQPACKET]) {
      assertEquals(verdict(network, "socketpair", UNIX, type), "allow");
      assertEquals(verdict(network, "socketpair", UNIX, type | CLOEXEC_NONBLOCK), "allow");
    }
    for (const type of [0, DGRAM, RAW, 4, DGRAM | CLOEXEC_NONBLOCK, 0x10]) {
      assertEquals(verdict(network, "socketpair", UNIX, type), "EPERM", `type ${type}`);
    }
    for (const domain of [0, INET, INET6, 30]) {
      assertEquals(verdict(network, "socketpair", domain, STREAM), "EPERM", `domain ${domain}`);
    }
  }
});

Deno.test("seccompFilter: messages go to the other end only", () => {
  for (const network of networks.slice(1)) {
    assertEquals(verdict(network, "sendto", 3, 0x1000, 5, 0, 0, 0), "allow");
    assertEquals(verdict(network, "sendto", 3, 0x1000, 5, 0, 0x1000, 16), "EPERM");
    // An address with a zero low half is an address too.
    assertEquals(verdict(network, "sendto", 3, 0x1000, 5, 0, 0x7f00_0000_0000n, 16), "EPERM");
    assertEquals(verdict(network, "sendmsg", 3, 0x1000, 0), "allow");
    assertEquals(verdict(network, "sendmmsg"), "EPERM");
  }
});

Deno.test("seccompFilter: a restricted network leaves no socket that leads anywhere", () => {
  const socket = (domain: number, type: number) => verdict("restricted", "socket", domain, type);
  for (const domain of [INET, INET6, NETLINK, PACKET, ALG, VSOCK, 0]) {
    for (const type of [STREAM, DGRAM, RAW, SEQPACKET]) assertEquals(socket(domain, type), "EPERM");
  }
  assertEquals(socket(UNIX, STREAM | CLOEXEC_NONBLOCK), "allow");
  assertEquals(socket(UNIX, SEQPACKET), "allow");
  assertEquals(socket(UNIX, DGRAM), "EPERM");
  assertEquals(socket(UNIX, RAW), "EPERM");
  const closed: Call[] = ["connect", "bind", "listen", "accept", "accept4"];
  for (const call of closed) assertEquals(verdict("restricted", call), "EPERM", call);
});

Deno.test("seccompFilter: a proxied network has TCP connections and nothing else", () => {
  const TCP = 6, UDP = 17, SCTP = 132, MPTCP = 262;
  for (const network of ["proxied", "proxiedWithBinding"] as const) {
    const socket = (...values: number[]) => verdict(network, "socket", ...values);
    for (const domain of [INET, INET6]) {
      for (const protocol of [0, TCP]) {
        assertEquals(socket(domain, STREAM | CLOEXEC_NONBLOCK, protocol), "allow");
      }
      for (const protocol of [UDP, SCTP, MPTCP, 0x1_0000]) {
        assertEquals(socket(domain, STREAM, protocol), "EPERM", `protocol ${protocol}`);
      }
      for (const type of [DGRAM, RAW, SEQPACKET]) assertEquals(socket(domain, type, 0), "EPERM");
    }
    for (const domain of [UNIX, NETLINK, PACKET, VSOCK]) {
      for (const type of [STREAM, DGRAM]) assertEquals(socket(domain, type, 0), "EPERM");
    }
    assertEquals(verdict(network, "connect"), "allow");
    assertEquals(verdict(network, "sendto", 3, 0x1000, 5, FASTOPEN, 0, 0), "EPERM");
    assertEquals(verdict(network, "sendmsg", 3, 0x1000, FASTOPEN | 0x4000), "EPERM");
    assertEquals(verdict(network, "sendmsg", 3, 0x1000, 0x4000), "allow");
    assertEquals(verdict(network, "setsockopt", 3, TCP, 31), "EPERM");
    assertEquals(verdict(network, "setsockopt", 3, TCP, 1), "allow");
    assertEquals(verdict(network, "setsockopt", 3, 1, 31), "allow");
    for (const call of ["bind", "listen", "accept", "accept4"] as const) {
      assertEquals(verdict(network, call), network === "proxied" ? "EPERM" : "allow", call);
    }
  }
});

Deno.test("seccompFilter: a foreign architecture kills", () => {
  const { x86_64, aarch64 } = auditArchitectures;
  for (const network of networks) {
    for (const foreign of [I386, ARM, aarch64, 0]) {
      assertEquals(verdictOn("x86_64", network, 0, [], foreign), "kill");
    }
    for (const foreign of [I386, ARM, x86_64, 0]) {
      assertEquals(verdictOn("aarch64", network, 0, [], foreign), "kill");
    }
  }
});

Deno.test("seccompFilter: no way around by other numbers of the same calls", () => {
  for (const network of networks) {
    // The x32 ABI: ptrace, and the lowest and highest numbers with its bit.
    for (const number of [0x4000_0000 + 521, 0x4000_0000, 0x7fff_ffff, 0xffff_ffff]) {
      assertEquals(verdictOn("x86_64", network, number), "EPERM");
    }
    // x32 numbers without the bit, which old kernels take.
    for (const number of [512, 521, 547]) {
      assertEquals(verdictOn("x86_64", network, number), "ENOSYS");
    }
    for (const architecture of architectures) {
      assertEquals(verdictOn(architecture, network, 471), "allow");
      assertEquals(verdictOn(architecture, network, 472), "ENOSYS");
    }
    assertEquals(verdictOn("aarch64", network, 0xffff_ffff), "ENOSYS");
  }
});

Deno.test("seccompFilter: programs are short", () => {
  for (const architecture of architectures) {
    for (const network of networks) {
      const length = seccompFilter({ architecture, network }).length / 8;
      assert(length < 256, `${architecture} ${network}: ${length} instructions`);
    }
  }
});

function profileOf(always: SeccompRule[]): SeccompProfile {
  return {
    newestKnown: 5000,
    unassigned: { x86_64: [], aarch64: [] },
    sections: {
      always,
      enabled: [],
      notEnabled: [],
      restricted: [],
      proxied: [],
      privateLoopback: [],
      noLocalBinding: [],
      sharedHost: [],
      fixedMetadata: [],
      fixedFlags: [],
      supervised: [],
      supervisedSignals: [],
    },
  };
}

Deno.test("seccompFilter: long lists", () => {
  const rules = Array.from({ length: 400 }, (_, index): SeccompRule => ({
    call: `call ${index}`,
    x86_64: index * 2,
    aarch64: null,
    errno: index % 3 === 0 ? "ENOSYS" : "EPERM",
    when: index % 2 === 0 ? undefined : [{ argument: 0, mask: 0xff, oneOf: [index % 256] }],
  }));
  const options = { architecture: "x86_64", network: "enabled" } as const;
  const program = seccompFilter(options, profileOf(rules));
  const run = (number: number, argument: number) =>
    toVerdict(
      runBpf(program, {
        architecture: auditArchitectures.x86_64,
        number,
        arguments: [argument],
      }),
    );
  for (const [index, rule] of rules.entries()) {
    assertEquals(run(index * 2, 0x100 + index % 256), rule.errno);
    assertEquals(run(index * 2, index + 1), rule.when ? "allow" : rule.errno);
    assertEquals(run(index * 2 + 1, index % 256), "allow");
  }
});

Deno.test("seccompFilter: several rules for one call, each can deny", () => {
  const rule = (errno: "EPERM" | "ENOSYS", conditions: Partial<SeccompRule>): SeccompRule => (
    { call: "a", x86_64: 7, aarch64: 7, errno, ...conditions }
  );
  const program = seccompFilter(
    { architecture: "aarch64", network: "restricted" },
    profileOf([
      rule("EPERM", {
        when: [{ argument: 0, anyBitOf: 1 }],
        unless: [{ argument: 1, mask: 0xf, oneOf: [1, 2] }, { argument: 2, notNull: true }],
      }),
      rule("ENOSYS", { when: [{ argument: 0, anyBitOf: 2 }] }),
    ]),
  );
  const cases: [number[], Verdict][] = [
    [[0, 0, 0], "allow"],
    [[1, 0, 0], "EPERM"],
    [[1, 1, 0], "EPERM"],
    [[1, 3, 1], "EPERM"],
    [[1, 0x12, 1], "allow"],
    [[3, 1, 1], "ENOSYS"],
    [[3, 0, 1], "EPERM"],
    [[2, 0, 0], "ENOSYS"],
  ];
  for (const [values, expected] of cases) {
    const data = { architecture: auditArchitectures.aarch64, number: 7, arguments: values };
    assertEquals(toVerdict(runBpf(program, data)), expected, String(values));
  }
});
