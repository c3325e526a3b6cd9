import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_CORE = 4;
/** This program, in place of a process id. */
const ITSELF = 0;

/**
 * Does something while a program that is started is born without core dumps (core(5)): the kernel
 * writes one into the working directory without a system call that could be judged.
 *
 * The hard limit stays, as not everybody could raise it again.
 *
 * @param action what starts a program; it must not wait for anything
 */
export function withoutCoreDumps<T>(action: () => T): T {
  const limit = new BigUint64Array(2);
  const bytes = new Uint8Array(limit.buffer);
  if (libc()?.prlimit(ITSELF, RLIMIT_CORE, null, bytes) !== 0 || limit[0] === 0n) return action();
  const inherited = bytes.slice();
  limit[0] = 0n;
  libc()?.prlimit(ITSELF, RLIMIT_CORE, bytes, null);
  try {
    return action();
  } finally {
    libc()?.prlimit(ITSELF, RLIMIT_CORE, inherited, null);
  }
}
