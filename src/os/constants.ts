/**
 * Numbers and flags of the kernel that more than one module of this folder needs, or one outside of it,
 * under their names in C. Those that a single module of this folder needs stand in it.
 *
 * @module
 */

const ARM = Deno.build.arch === "aarch64";

// Flags of open(2). Those that architectures differ in are in their asm/fcntl.h.
export const O_RDONLY = 0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY = ARM ? 0o40000 : 0o200000;
export const O_NOFOLLOW = ARM ? 0o100000 : 0o400000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

// What calls take that look a path up from an open directory (open(2), linux/fcntl.h).
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;
export const AT_STATX_DONT_SYNC = 0x4000;

// How openat2(2) follows a path.
export const RESOLVE_NO_XDEV = 1n;
export const RESOLVE_NO_MAGICLINKS = 2n;
export const RESOLVE_NO_SYMLINKS = 4n;
export const RESOLVE_IN_ROOT = 16n;

/** Own root, working directory and umask (unshare(2)). */
export const CLONE_FS = 0x200;

// Numbers for syscall(2) of what the C library has no function for (asm/unistd.h).
export const SYS_KCMP = ARM ? 272n : 312n;
export const SYS_GETDENTS64 = ARM ? 61n : 217n;
export const SYS_OPEN_TREE = 428n;
export const SYS_PIDFD_OPEN = 434n;
export const SYS_CLOSE_RANGE = 436n;
export const SYS_OPENAT2 = 437n;
export const SYS_MOUNT_SETATTR = 442n;
export const SYS_LANDLOCK_CREATE_RULESET = 444n;

// Families, types and levels of sockets (socket(2), linux/in.h).
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = O_CLOEXEC;
export const SOCK_NONBLOCK = O_NONBLOCK;
export const SOL_SOCKET = Deno.build.os === "darwin" ? 0xffff : 1;
export const SO_KEEPALIVE = Deno.build.os === "darwin" ? 8 : 9;
export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

// Operations of fcntl(2).
export const F_GETFL = 3;
export const F_SETFL = 4;

// Error numbers that are the same on every Unix system (errno(3)).
export const EPERM = 1;
export const ENOENT = 2;
export const EACCES = 13;
export const EBUSY = 16;
export const ENOTDIR = 20;
export const EROFS = 30;

// Types and bits of a mode (inode(7)).
export const S_IFMT = 0o170000;
export const S_ISUID = 0o4000;

/** By this capability a process may enter the namespaces of others (capabilities(7)). */
export const CAP_SYS_ADMIN = 21n;

/** The form of capget(2) and capset(2) that has 64 capabilities. */
export const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** The size of `struct statfs` on 64-bit machines; it begins with the type (statfs(2)). */
export const STATFS_BYTES = 120;
/** The size of `struct statx` (statx(2)). */
export const STATX_BYTES = 256;
/** Bytes of the longest path that the kernel takes, with the NUL at its end. */
export const PATH_MAX = 4096;
/** The magic number of procfs (statfs(2), linux/magic.h). */
export const PROC_SUPER_MAGIC = 0x9fa0n;
