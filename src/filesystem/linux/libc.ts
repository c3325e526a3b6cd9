/** The C library's functions that Deno does not offer: extended attributes (xattr(7)), and words. */
const functions = {
  listxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  getxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof functions>["symbols"];

let opened: Libc | undefined;

/** The functions, typed; the library stays open as long as the program runs. */
export function libc(): Libc {
  return opened ??= Deno.dlopen("libc.so.6", functions).symbols;
}

/** The system's words for an error number, in the form `Permission denied (os error 13)`. */
export function describeErrno(errno: number): string {
  const text = libc().strerror(errno);
  const words = text === null ? "Unknown error" : Deno.UnsafePointerView.getCString(text);
  return `${words} (os error ${errno})`;
}

/** A text as C has it: UTF-8 with a NUL at its end. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
