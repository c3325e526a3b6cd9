const functions = {
  strerror: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

let opened: Deno.DynamicLibrary<typeof functions>["symbols"] | undefined;

/** The C library's words for an error number, in the form `Permission denied (os error 13)`. */
export function describeErrno(errno: number): string {
  opened ??= Deno.dlopen("libc.so.6", functions).symbols;
  const text = opened.strerror(errno);
  const words = text === null ? "Unknown error" : Deno.UnsafePointerView.getCString(text);
  return `${words} (os error ${errno})`;
}
