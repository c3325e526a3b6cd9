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
