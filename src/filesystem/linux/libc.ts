/** The C library's functions that Deno does not offer: extended attributes (xattr(7)). */
const functions = {
  listxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  getxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof functions>["symbols"];

let opened: Libc | undefined;

/** The functions, typed; the library stays open as long as the program runs. */
export function libc(): Libc {
  return opened ??= Deno.dlopen("libc.so.6", functions).symbols;
}
