import { cString } from "./os_string.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  SYS_MOUNT_SETATTR,
  SYS_OPEN_TREE,
} from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  open_tree: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "i64"],
    result: "i64",
  },
  mount_setattr: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "i64", "buffer", "i64"],
    result: "i64",
  },
});

const OPEN_TREE_CLONE = 1n;
/** `struct mount_attr` that sets MOUNT_ATTR_RDONLY (mount_setattr(2)). */
const READ_ONLY = new Uint8Array(BigUint64Array.of(1n, 0n, 0n, 0n).buffer);

const PLAIN = "/dev/null";
let sealed: string | undefined;

/**
 * Where the null device can be opened so that its mode, owner and times cannot be changed through
 * what is opened.
 *
 * Whoever owns the device, which root does without any capability, can change it through any
 * descriptor, for everybody. So it is opened from a read-only mount that is nowhere in the tree of
 * files. That takes CAP_SYS_ADMIN and Linux 5.12; without them it is the device as it is, which
 * ordinary users do not own.
 */
export function sealedNullDevice(): string {
  return sealed ??= sealDevices();
}

function sealDevices(): string {
  const mount = libc().open_tree(
    SYS_OPEN_TREE,
    BigInt(AT_FDCWD),
    cString("/dev"),
    OPEN_TREE_CLONE | BigInt(O_CLOEXEC),
  );
  if (mount < 0n) return PLAIN;
  const descriptor: Descriptor = Number(mount);
  const result = libc().mount_setattr(
    SYS_MOUNT_SETATTR,
    mount,
    cString(""),
    BigInt(AT_EMPTY_PATH),
    READ_ONLY,
    BigInt(READ_ONLY.length),
  );
  // Not closed: the mount is there for as long as the descriptor is.
  if (result === 0n) return `/proc/self/fd/${descriptor}/null`;
  closeDescriptor(descriptor);
  return PLAIN;
}
