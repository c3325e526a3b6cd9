import { cString } from "../../native/c_strings.ts";
import { closeDescriptor, type Descriptor } from "../../native/descriptor.ts";
import { describeErrno, lastErrno } from "../../native/errno.ts";

const functions = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Calls = Deno.DynamicLibrary<typeof functions>["symbols"];

let opened: Calls | undefined;

function calls(): Calls {
  return opened ??= Deno.dlopen("libc.so.6", functions).symbols;
}

const O_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x4000_0000;
const NS_GET_USERNS = 0xb701n;

/** A namespace that cannot be found or entered. */
export class NamespaceError extends Error {
  override readonly name = "NamespaceError";
}

/** The network namespace of a process (namespaces(7)). @throws {NamespaceError} */
export function openNetworkNamespace(pid: number | "self"): Descriptor {
  return checked(calls().open(cString(`/proc/${pid}/ns/net`), O_CLOEXEC));
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

function checked(result: number): number {
  if (result >= 0) return result;
  throw new NamespaceError(
    `the sandbox's network cannot be entered: ${describeErrno(lastErrno())}`,
  );
}
