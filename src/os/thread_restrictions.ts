import {
  AT_FDCWD,
  LINUX_CAPABILITY_VERSION_3,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  SYS_LANDLOCK_CREATE_RULESET,
  SYS_OPENAT2,
} from "./constants.ts";
import { cString } from "./os_string.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import { libraryTable } from "./libc.ts";

/** What restricting the calling thread takes of the C library. */
const calls = libraryTable({
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  capset: { parameters: ["buffer", "buffer"], result: "i32" },
  openat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "buffer", "i64"],
    result: "i64",
  },
  landlock_create_ruleset: {
    name: "syscall",
    parameters: ["i64", "buffer", "i64", "i64"],
    result: "i64",
  },
  landlock_add_rule: {
    name: "syscall",
    parameters: ["i64", "i64", "i64", "buffer", "i64"],
    result: "i64",
  },
  landlock_restrict_self: { name: "syscall", parameters: ["i64", "i64", "i64"], result: "i64" },
  seccomp: { name: "syscall", parameters: ["i64", "i64", "i64", "buffer"], result: "i64" },
});

/** The same numbers on all architectures but for seccomp. */
const SYS_LANDLOCK_ADD_RULE = 445n;
const SYS_LANDLOCK_RESTRICT_SELF = 446n;
const SYS_SECCOMP = Deno.build.arch === "aarch64" ? 277n : 317n;

const LANDLOCK_RULE_PATH_BENEATH = 1n;
const LANDLOCK_RULE_NET_PORT = 2n;
const LANDLOCK_ACCESS_NET_CONNECT_TCP = 2n;
const LANDLOCK_CREATE_RULESET_VERSION = 1n;

const PR_CAPBSET_DROP = 24;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4n;
/** All that a capability set has room for; the kernel knows fewer. */
const MAX_CAPABILITIES = 64;

const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_GET_NOTIF_SIZES = 3n;
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 1n << 3n;
/** Since Linux 5.19. */
const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1n << 5n;
const FILTER_HEADER_BYTES = 16;
const FILTER_INSTRUCTION_BYTES = 8;

/** ENOENT, EACCES and ENOTDIR. */
const NOT_THERE: readonly number[] = [2, 13, 20];
const EFAULT = 14;

/** Something that the kernel refused to a thread that restricts itself. */
export class RestrictionError extends Error {
  override readonly name = "RestrictionError";

  constructor(what: string, errno: number) {
    super(`${what}: ${describeErrno(errno)}`);
  }
}

/**
 * What is denied as long as no rule allows it: bits of `LANDLOCK_ACCESS_FS_*`,
 * `LANDLOCK_ACCESS_NET_*` and `LANDLOCK_SCOPE_*` (landlock(7)).
 */
export interface LandlockGoverned {
  readonly files: number;
  readonly network: number;
  readonly scopes: number;
}

/** What is allowed at and below a path. */
export interface PathRule {
  /** A link on the way is an error: the path has been resolved. */
  readonly path: string;
  /** For a directory. */
  readonly rights: number;
  /** For anything else. */
  readonly fileRights: number;
}

/** The version of the Landlock interface, 0 if there is none (landlock_create_ruleset(2)). */
export function landlockVersion(): number {
  const version = calls().landlock_create_ruleset(
    SYS_LANDLOCK_CREATE_RULESET,
    null,
    0n,
    LANDLOCK_CREATE_RULESET_VERSION,
  );
  return Math.max(0, Number(version));
}

/**
 * A set of Landlock rules, not in force yet (landlock_create_ruleset(2), landlock_add_rule(2)).
 *
 * Nothing is granted where nothing is any more, and where this user does not get.
 *
 * @param ports TCP ports that may be connected to
 * @throws {RestrictionError}
 */
export function createRuleset(
  { files, network, scopes }: LandlockGoverned,
  rules: readonly PathRule[],
  ports: readonly number[] = [],
): Descriptor {
  const attributes = new Uint8Array(BigUint64Array.from([files, network, scopes], BigInt).buffer);
  // An older kernel takes a shorter structure, or a longer one whose rest is zero.
  const ruleset = succeeded(
    "Landlock cannot be used",
    calls().landlock_create_ruleset(
      SYS_LANDLOCK_CREATE_RULESET,
      attributes,
      BigInt(attributes.length),
      0n,
    ),
  );
  try {
    for (const rule of rules) addRule(ruleset, rule);
    if (network !== 0) { for (const port of ports) addPort(ruleset, port); }
    return ruleset;
  } catch (error) {
    closeDescriptor(ruleset);
    throw error;
  }
}

function addPort(ruleset: Descriptor, port: number): void {
  // struct landlock_net_port_attr.
  const attributes = BigUint64Array.of(LANDLOCK_ACCESS_NET_CONNECT_TCP, BigInt(port));
  succeeded(
    `Landlock cannot grant port ${port}`,
    calls().landlock_add_rule(
      SYS_LANDLOCK_ADD_RULE,
      BigInt(ruleset),
      LANDLOCK_RULE_NET_PORT,
      new Uint8Array(attributes.buffer),
      0n,
    ),
  );
}

function addRule(ruleset: Descriptor, { path, rights, fileRights }: PathRule): void {
  const found = openPath(path);
  if (found === undefined) return;
  const allowed = found.directory ? rights : fileRights;
  // struct landlock_path_beneath_attr, which is packed.
  const attributes = new DataView(new ArrayBuffer(12));
  attributes.setBigUint64(0, BigInt(allowed), true);
  attributes.setInt32(8, found.descriptor, true);
  try {
    succeeded(
      `Landlock cannot grant ${path}`,
      calls().landlock_add_rule(
        SYS_LANDLOCK_ADD_RULE,
        BigInt(ruleset),
        LANDLOCK_RULE_PATH_BENEATH,
        new Uint8Array(attributes.buffer),
        0n,
      ),
    );
  } finally {
    closeDescriptor(found.descriptor);
  }
}

/** A link on the way has been put there since the path was resolved: whereto is not for us to say. */
function openPath(
  path: string,
): { readonly descriptor: Descriptor; readonly directory: boolean } | undefined {
  const asDirectory = open(path, BigInt(O_PATH | O_CLOEXEC | O_DIRECTORY));
  if (asDirectory >= 0) return { descriptor: asDirectory, directory: true };
  const descriptor = open(path, BigInt(O_PATH | O_CLOEXEC));
  if (descriptor >= 0) return { descriptor, directory: false };
  const errno = lastErrno();
  if (NOT_THERE.includes(errno)) return undefined;
  throw new RestrictionError(path, errno);
}

function open(path: string, flags: bigint): Descriptor {
  const how = BigUint64Array.of(flags, 0n, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  return Number(
    calls().openat2(
      SYS_OPENAT2,
      BigInt(AT_FDCWD),
      cString(path),
      new Uint8Array(how.buffer),
      BigInt(how.byteLength),
    ),
  );
}

/**
 * Takes this thread, and whatever it starts, the way to new privileges (prctl(2)). Landlock and
 * seccomp ask for it.
 *
 * @throws {RestrictionError}
 */
export function setNoNewPrivileges(): void {
  succeeded("no_new_privs", calls().prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
}

/**
 * Keeps everybody without CAP_SYS_PTRACE from this program's memory, descriptors and environment
 * (PR_SET_DUMPABLE, ptrace(2)): what a restricted thread starts is under the same rules as the thread, which
 * has all of those, and so is let through by Landlock. It is all threads' from now on, and that of a program
 * that is being started until it is another.
 *
 * @throws {RestrictionError}
 */
export function hideProgram(): void {
  succeeded("the program cannot be hidden", calls().prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n));
}

/**
 * Takes all capabilities from this thread, and from whatever it starts. Without new privileges
 * executing a program brings none back (capabilities(7)), not even to root; that the bounding set
 * gets empty too is for those who look.
 *
 * @throws {RestrictionError}
 */
export function giveUpCapabilities(): void {
  for (let capability = 0; capability < MAX_CAPABILITIES; capability++) {
    calls().prctl(PR_CAPBSET_DROP, BigInt(capability), 0n, 0n, 0n);
  }
  calls().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0n, 0n, 0n);
  const header = new Uint8Array(Uint32Array.of(LINUX_CAPABILITY_VERSION_3, 0).buffer);
  succeeded("capabilities cannot be dropped", calls().capset(header, new Uint8Array(24)));
}

/**
 * Puts a set of rules in force for this thread, and for whatever it starts
 * (landlock_restrict_self(2)).
 *
 * @throws {RestrictionError}
 */
export function enforceRuleset(ruleset: Descriptor): void {
  succeeded(
    "Landlock cannot be put in force",
    calls().landlock_restrict_self(SYS_LANDLOCK_RESTRICT_SELF, BigInt(ruleset), 0n),
  );
}

/**
 * Puts a filter of system calls in force for this thread, and for whatever it starts (seccomp(2)).
 *
 * @param program an array of `struct sock_filter`
 * @throws {RestrictionError}
 */
export function enforceFilter(program: Uint8Array): void {
  seccomp(program, 0n);
}

/**
 * {@linkcode enforceFilter}, and returns the descriptor that tells of the calls that the filter hands
 * over (seccomp_unotify(2)).
 *
 * Once told of a call, whoever made it waits for the answer and can only be killed: a runtime that
 * interrupts its own threads by signals (Go) would repeat the call for ever.
 *
 * @throws {RestrictionError} also before Linux 5.19
 */
export function enforceFilterWithListener(program: Uint8Array): Descriptor {
  return seccomp(
    program,
    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  );
}

/** Whether filters can hand calls over to another thread, as {@linkcode enforceFilterWithListener} asks. */
export function hasUserNotification(): boolean {
  const sizes = new Uint8Array(6);
  if (calls().seccomp(SYS_SECCOMP, SECCOMP_GET_NOTIF_SIZES, 0n, sizes) !== 0n) return false;
  // A filter at no address: the kernel looks at the flags first.
  const flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  calls().seccomp(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, null);
  return lastErrno() === EFAULT;
}

function seccomp(program: Uint8Array, flags: bigint): Descriptor {
  const block = filterProgram(program);
  const result = calls().seccomp(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, block);
  return succeeded("the filter of system calls cannot be put in force", result);
}

/** `struct sock_fprog` with the program that it points to behind it, so that they live as long. */
function filterProgram(instructions: Uint8Array): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(new ArrayBuffer(FILTER_HEADER_BYTES + instructions.length));
  block.set(instructions, FILTER_HEADER_BYTES);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(block));
  const header = new DataView(block.buffer);
  header.setUint16(0, instructions.length / FILTER_INSTRUCTION_BYTES, true);
  header.setBigUint64(8, BigInt(address) + BigInt(FILTER_HEADER_BYTES), true);
  return block;
}

/** @throws {RestrictionError} if a call returned a negative number */
function succeeded(what: string, result: number | bigint): number {
  if (result < 0) throw new RestrictionError(what, lastErrno());
  return Number(result);
}
