import { cString } from "./c_strings.ts";
import { lastErrno } from "./errno.ts";

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_TYPE = 1;
const STATX_BYTES = 256;
const MODE_OFFSET = 28;

const functions = {
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Stays open as long as the program runs. */
const libc = Deno.build.os === "linux" ? Deno.dlopen("libc.so.6", functions).symbols : undefined;
const answer = new DataView(new ArrayBuffer(STATX_BYTES));
const answerBytes = new Uint8Array(answer.buffer);

/** What is at a path, or why that cannot be told. */
export type FileMode =
  | { readonly kind: "found"; readonly mode: number }
  | { readonly kind: "failed"; readonly errno: number };

/**
 * The type of what is at a path, a link not followed, as `st_mode` has it (statx(2)); never found but
 * on Linux.
 *
 * Ten times as fast as the runtime's way where there is nothing, as it makes no error.
 *
 * @param path without a NUL
 */
export function fileModeAt(path: string): FileMode {
  if (libc === undefined) return { kind: "failed", errno: 0 };
  const name = cString(path);
  if (libc.statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, answerBytes) === 0) {
    return { kind: "found", mode: answer.getUint16(MODE_OFFSET, true) };
  }
  return { kind: "failed", errno: lastErrno() };
}
