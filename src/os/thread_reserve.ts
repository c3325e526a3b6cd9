import { libraryTable } from "./libc.ts";
import { lendPollersThread } from "./epoll.ts";

const libc = libraryTable({
  /** Does nothing, on another thread. */
  getppid_elsewhere: { name: "getppid", parameters: [], result: "i32", nonblocking: true },
});

/** How often the thread is used, in milliseconds: the runtime ends one that idles for 10 s. */
const USE_MS = 4_000;
/** An answer that takes longer, in milliseconds, says that no thread is free. */
const LATE_MS = 20;

/**
 * Keeps a thread that answers requests when the system lets this program have no more of them
 * (RLIMIT_NPROC, `pids.max` of a cgroup).
 *
 * The runtime does what may take long on threads that it starts when they are needed, and where none
 * can be started that work waits for one of those that are there. The poller occupies one for good, so
 * another is kept. Should that be occupied too, by a file system that does not answer or because it
 * could never be started, the poller lends its own.
 */
export function reserveThread(): void {
  void use();
}

async function use(): Promise<void> {
  let late = false;
  const lend = setInterval(() => {
    late = true;
    lendPollersThread();
  }, LATE_MS);
  try {
    await libc().getppid_elsewhere();
  } finally {
    clearInterval(lend);
  }
  // Work that has several steps needs the thread for each of them.
  Deno.unrefTimer(setTimeout(use, late ? 0 : USE_MS));
}
