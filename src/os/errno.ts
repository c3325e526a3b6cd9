import { errnoLibrary } from "./libc.ts";
import { constants } from "node:os";

/** A descriptor that never waits would have to (errno(3)). */
export const EAGAIN = 11;
/** The kernel has no such call. */
export const ENOSYS = 38;
/** A connection is being made (connect(2)). */
export const EINPROGRESS = 115;

/**
 * The error number of the last call of the C library on this thread, which failed. To be asked for
 * right after it, as the runtime makes calls of its own; 0 elsewhere than on Linux.
 */
export function lastErrno(): number {
  const location = errnoLibrary()?.__errno_location() ?? null;
  return location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
}

/** The C library's words for an error number, in the form `Permission denied (os error 13)`. */
export function describeErrno(errno: number): string {
  const text = errnoLibrary()?.strerror(errno) ?? null;
  const words = text === null ? "Unknown error" : Deno.UnsafePointerView.getCString(text);
  return `${words} (os error ${errno})`;
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));

/** An error of the system's, in the form in which Deno and Node tell theirs. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** As in `ENOENT`. */
  readonly code: string;

  constructor(code: keyof typeof constants.errno) {
    super(describeErrno(constants.errno[code]));
    this.code = code;
  }
}

/** The error of the last call on this thread, which failed. */
export function lastError(): SystemError {
  return new SystemError(isErrorName(NAMES.get(lastErrno())) ?? "EIO");
}

function isErrorName(name: string | undefined): keyof typeof constants.errno | undefined {
  return Object.keys(constants.errno).find((known): known is keyof typeof constants.errno =>
    known === name
  );
}
