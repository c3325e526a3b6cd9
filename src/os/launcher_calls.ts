import { describeErrno, lastErrno } from "./errno.ts";

/** What restricting the own process and becoming another program takes of the C library. */
const functions = {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  prctl_with_buffer: {
    name: "prctl",
    parameters: ["i32", "u64", "buffer", "u64", "u64"],
    result: "i32",
  },
  capset: { parameters: ["buffer", "buffer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  chdir: { parameters: ["buffer"], result: "i32" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  signal: { parameters: ["i32", "isize"], result: "isize" },
  sigprocmask: { parameters: ["i32", "buffer", "usize"], result: "i32" },
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
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

type Calls = Deno.DynamicLibrary<typeof functions>["symbols"];

let opened: Calls | undefined;

/** The functions, typed. */
export function calls(): Calls {
  return opened ??= Deno.dlopen("libc.so.6", functions).symbols;
}

/** Something that the kernel refused to the launcher. */
export class LauncherError extends Error {
  override readonly name = "LauncherError";
}

/** The kernel's refusal, in its words. */
export function refusedBySystem(what: string, errno: number): LauncherError {
  return new LauncherError(`${what}: ${describeErrno(errno)}`);
}

/** @throws {LauncherError} if a call returned a negative number */
export function succeeded(what: string, result: number | bigint): number {
  if (result < 0) throw refusedBySystem(what, lastErrno());
  return Number(result);
}
