import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  getFlag: { name: "prctl", parameters: ["i32", "buffer", "u64", "u64", "u64"], result: "i32" },
});

const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;

/**
 * Makes this program the parent of every descendant whose own parent ends (prctl(2)). Returns false
 * where the kernel cannot.
 */
export function becomeSubreaper(): boolean {
  return libc().prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) === 0;
}

/** Whether it is the parent of every such descendant. */
export function isSubreaper(): boolean {
  const flag = new Int32Array(1);
  const bytes = new Uint8Array(flag.buffer);
  return libc().getFlag(PR_GET_CHILD_SUBREAPER, bytes, 0n, 0n, 0n) === 0 && flag[0] === 1;
}
