import { lastErrno } from "./errno.ts";
import { orAgain } from "./lacking_descriptors.ts";
import { libraryTable } from "./libc.ts";

const calls = libraryTable({
  syscall: {
    parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i64",
  },
});

/**
 * Makes a system call (syscall(2)). Returns its result, or the negative error number.
 *
 * @param args its number and six arguments; what is a pointer to the kernel has to point to memory
 * of this program that stays where it is
 */
export function rawCall(args: BigInt64Array): number {
  return orAgain(callOnce(args), () => callOnce(args));
}

function callOnce(args: BigInt64Array): number {
  const [number = -1n, a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = args;
  const result = Number(calls().syscall(number, a, b, c, d, e, f));
  return result < 0 ? -lastErrno() : result;
}
