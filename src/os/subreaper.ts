import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
});

const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Makes this program the parent of every descendant whose own parent ends (prctl(2)). Returns false
 * where the kernel cannot.
 */
export function becomeSubreaper(): boolean {
  return libc().prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) === 0;
}
