import { CLONE_FS, O_CLOEXEC, O_PATH } from "./constants.ts";
import { cString } from "./os_string.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import type { MountEntry } from "./mount_table.ts";
import { libraryTable } from "./libc.ts";
import { readProcLink } from "./procfs.ts";

const calls = libraryTable({
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  unshare: { parameters: ["i32"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  fchdir: { parameters: ["i32"], result: "i32" },
  chroot: { parameters: ["buffer"], result: "i32" },
});

const CLONE_NEWNS = 0x2_0000;
const CLONE_NEWUSER = 0x1000_0000;
const CLONE_NEWNET = 0x4000_0000;
/** MS_* of mount(2); the last two together are about one mount and not its file system. */
const MOUNT_FLAGS = {
  ro: 1n,
  nosuid: 2n,
  nodev: 4n,
  noexec: 8n,
  remount: 32n,
  bind: 4096n,
} as const;
/** The same, for the whole tree below a mount. */
const MS_REC = 0x4000n;
const MS_PRIVATE = 0x4_0000n;
const NS_GET_USERNS = 0xb701n;

/** A namespace that cannot be found or entered. */
export class NamespaceError extends Error {
  override readonly name = "NamespaceError";
}

/** The network namespace of a process (namespaces(7)). @throws {NamespaceError} */
export function openNetworkNamespace(pid: number | "self"): Descriptor {
  return checked(calls().open(cString(`/proc/${pid}/ns/net`), O_CLOEXEC));
}

/** The mount namespace of a process. @throws {NamespaceError} */
export function openMountNamespace(pid: number): Descriptor {
  return checked(calls().open(cString(`/proc/${pid}/ns/mnt`), O_CLOEXEC), MOUNTS);
}

/** The user namespace whose privileges count in another one (ioctl_ns(2)). @throws {NamespaceError} */
export function openOwner(namespace: Descriptor): Descriptor {
  return checked(calls().ioctl(namespace, NS_GET_USERNS));
}

/**
 * Does something in another network namespace and comes back. It must not wait for anything: only
 * this thread is there, and everything else that runs on it would be there too.
 *
 * @throws {NamespaceError} without CAP_SYS_ADMIN
 */
export function insideNetwork<T>(namespace: Descriptor, action: () => T): T {
  const own = openNetworkNamespace("self");
  try {
    checked(calls().setns(namespace, CLONE_NEWNET));
    try {
      return action();
    } finally {
      // In a foreign network this program could only do harm.
      if (calls().setns(own, CLONE_NEWNET) !== 0) Deno.kill(Deno.pid, "SIGKILL");
    }
  } finally {
    closeDescriptor(own);
  }
}

/**
 * Does something where a process sees its files and comes back. It must not wait for anything: only
 * this thread is there, and everything else that runs on it would be there too.
 *
 * @throws {NamespaceError} without CAP_SYS_ADMIN and CAP_SYS_CHROOT
 */
export function insideMounts(pid: number, action: () => void): void {
  const theirs = openMountNamespace(pid);
  try {
    const { mounts, name, root, directory } = ownView ??= openOwnView();
    const theirName = readProcLink(`self/fd/${theirs}`);
    // What is done in a sandbox must not be done to the host's own mounts.
    if (name === undefined || theirName === undefined || theirName === name) {
      throw new NamespaceError("the sandbox has no mounts of its own");
    }
    // Only a thread with a root and a directory of its own may change to another view of them, and
    // each that has been made since shares this one's.
    checked(calls().unshare(CLONE_FS), MOUNTS);
    checked(calls().setns(theirs, CLONE_NEWNS), MOUNTS);
    try {
      action();
    } finally {
      const isBack = calls().setns(mounts, CLONE_NEWNS) === 0 && calls().fchdir(root) === 0 &&
        calls().chroot(cString(".")) === 0 && calls().fchdir(directory) === 0;
      // Among foreign files this program could only do harm.
      if (!isBack) Deno.kill(Deno.pid, "SIGKILL");
    }
  } finally {
    closeDescriptor(theirs);
  }
}

/** Where this thread sees its files, to come back to. */
interface OwnView {
  readonly mounts: Descriptor;
  /** What the mount namespace is called (namespaces(7)). */
  readonly name: string | undefined;
  readonly root: Descriptor;
  readonly directory: Descriptor;
}

/** Opened when it is first left, and again and again come back to: this thread has no other. */
let ownView: OwnView | undefined;

/** @throws {NamespaceError} */
function openOwnView(): OwnView {
  const opened: Descriptor[] = [];
  const open = (path: string, flags: number): Descriptor => {
    const found = checked(calls().open(cString(path), flags | O_CLOEXEC), MOUNTS);
    opened.push(found);
    return found;
  };
  try {
    return {
      mounts: open(`/proc/${OWN_MOUNTS}`, 0),
      name: readProcLink(OWN_MOUNTS),
      root: open("/", O_PATH),
      directory: open(".", O_PATH),
    };
  } catch (error) {
    opened.forEach(closeDescriptor);
    throw error;
  }
}

const OWN_MOUNTS = "thread-self/ns/mnt";

/** Goes where a process sees its files, for good. @throws {NamespaceError} */
export function enterMounts(pid: number): void {
  const theirs = openMountNamespace(pid);
  checked(calls().unshare(CLONE_FS), MOUNTS);
  checked(calls().setns(theirs, CLONE_NEWNS), MOUNTS);
  closeDescriptor(theirs);
}

/** Makes one mount read-only, by its place and the options that it has. @throws {NamespaceError} */
export function remountReadOnly({ place, options }: Pick<MountEntry, "place" | "options">): void {
  const set = options.split(",");
  const kept = (["nosuid", "nodev", "noexec"] as const).filter((name) => set.includes(name));
  const flags = [...kept, "ro", "remount", "bind"] as const;
  const bits = flags.reduce((sum, name) => sum | MOUNT_FLAGS[name], 0n);
  checked(calls().mount(null, cString(place), null, bits, null), MOUNTS);
}

/**
 * Where this is called what is mounted elsewhere from now on does not appear (mount_namespaces(7)).
 *
 * @throws {NamespaceError}
 */
export function keepMountsOut(): void {
  checked(calls().mount(null, cString("/"), null, MS_REC | MS_PRIVATE, null), MOUNTS);
}

/** System call numbers, which perl(1) has no names for. */
const CALL_NUMBERS = {
  x86_64: { setns: 308, mount: 165 },
  aarch64: { setns: 268, mount: 40 },
} as const;

/**
 * A program for perl(1), and its arguments, that does the same where a process sees its files, for
 * whoever made the user namespace that those belong to: only a process with a single thread may enter
 * that (setns(2)).
 */
export function keepMountsOutByPerl(pid: number): string[] {
  const { setns, mount } = CALL_NUMBERS[Deno.build.arch];
  const script = `
    my ($pid) = @ARGV;
    sub checked { die "$!\\n" if $_[0] < 0 }
    open my $mounts, "<", "/proc/$pid/ns/mnt" or die "$!\\n";
    my $owner = ioctl $mounts, ${NS_GET_USERNS}, 0 or die "$!\\n";
    checked(syscall ${setns}, $owner + 0, ${CLONE_NEWUSER});
    checked(syscall ${setns}, fileno $mounts, ${CLONE_NEWNS});
    my $root = "/";
    checked(syscall ${mount}, 0, $root, 0, ${MS_REC | MS_PRIVATE}, 0);
  `;
  return ["-e", script, "--", `${pid}`];
}

const NETWORK = "the sandbox's network cannot be entered";
const MOUNTS = "what is mounted in the sandbox cannot be changed";

function checked(result: number, failure = NETWORK): number {
  if (result >= 0) return result;
  throw new NamespaceError(`${failure}: ${describeErrno(lastErrno())}`);
}
