/** The C library's functions that several folders need. */
const functions = {
  getcwd: { parameters: ["buffer", "usize"], result: "pointer" },
  close: { parameters: ["i32"], result: "i32" },
  statfs: { parameters: ["buffer", "buffer"], result: "i32", nonblocking: true },
  fcntl: { parameters: ["i32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  poll_now: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * The functions, typed; undefined elsewhere than on Linux.
 *
 * Opened at once: opening them after a call that failed could change the number of its error.
 */
export const libc = Deno.build.os === "linux"
  ? Deno.dlopen("libc.so.6", functions).symbols
  : undefined;
