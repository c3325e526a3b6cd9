import { LINUX_CAPABILITY_VERSION_3 } from "./constants.ts";
import { lastError } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  capget: { parameters: ["buffer", "buffer"], result: "i32" },
  capset: { parameters: ["buffer", "buffer"], result: "i32" },
});

/** The thread that calls, in place of another's number. */
const THIS_THREAD = 0;
/** Two times effective, permitted and inheritable, of 32 bits each (capget(2)). */
const SETS_LENGTH = 6;
const EFFECTIVE = [0, 3];

/**
 * Does something while this thread's capabilities have no effect. A thread that is started meanwhile
 * begins like that, and so do all that are started from it, whenever that is.
 *
 * Taking them away on the new thread alone is too late for those of its helpers that the runtime
 * starts before any of the thread's own code runs.
 *
 * @throws {SystemError}
 */
export function withoutCapabilities<T>(action: () => T): T {
  const held = sets();
  setTo(held.map((set, index) => EFFECTIVE.includes(index) ? 0 : set));
  try {
    return action();
  } finally {
    setTo(held);
  }
}

/**
 * Takes all capabilities from this thread for good, and so from those that the runtime starts from
 * it to wait for files (capabilities(7)). The rest of the program keeps its own.
 *
 * @throws {Error} if the thread was not started {@linkcode withoutCapabilities}, or any has effect
 * here or there
 */
export async function dropCapabilities(): Promise<void> {
  const own = "/proc/thread-self/status";
  refuseEffective(Deno.readTextFileSync(own));
  setTo(new Uint32Array(SETS_LENGTH));
  refuseEffective(await Deno.readTextFile(own));
}

function refuseEffective(status: string): void {
  if (/^CapEff:\t0+$/m.test(status)) return;
  throw new Error("a thread for sandboxed file requests has capabilities");
}

function sets(): Uint32Array<ArrayBuffer> {
  const found = new Uint32Array(SETS_LENGTH);
  if (libc().capget(header(), new Uint8Array(found.buffer)) !== 0) throw lastError();
  return found;
}

function setTo(wanted: Uint32Array<ArrayBuffer>): void {
  if (libc().capset(header(), new Uint8Array(wanted.buffer)) !== 0) throw lastError();
}

function header(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.of(LINUX_CAPABILITY_VERSION_3, THIS_THREAD).buffer);
}
