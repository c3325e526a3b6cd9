import { libc } from "./libc.ts";

/** A descriptor that never waits would have to (errno(3)). */
export const EAGAIN = 11;
/** A connection is being made (connect(2)). */
export const EINPROGRESS = 115;

/**
 * The error number of the last call of the C library on this thread, which failed. To be asked for
 * right after it, as the runtime makes calls of its own; 0 elsewhere than on Linux.
 */
export function lastErrno(): number {
  const location = libc?.__errno_location() ?? null;
  return location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
}

/** The C library's words for an error number, in the form `Permission denied (os error 13)`. */
export function describeErrno(errno: number): string {
  const library = Deno.dlopen("libc.so.6", {
    strerror: { parameters: ["i32"], result: "pointer" },
  });
  try {
    const text = library.symbols.strerror(errno);
    const words = text === null ? "Unknown error" : Deno.UnsafePointerView.getCString(text);
    return `${words} (os error ${errno})`;
  } finally {
    library.close();
  }
}
