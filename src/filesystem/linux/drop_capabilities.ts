import { libc } from "./libc.ts";
import { lastError } from "./system_error.ts";

const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** The thread that calls, in place of another's number. */
const THIS_THREAD = 0;
const SETS_BYTES = 24;

/**
 * Takes all capabilities from this thread, and so from those that the runtime starts from it to
 * wait for files: a new thread has what the one has that starts it (capabilities(7)). The rest of
 * the program keeps its own.
 *
 * @throws {Error} if any is left, here or there
 */
export async function dropCapabilities(): Promise<void> {
  const header = new Uint8Array(Uint32Array.of(LINUX_CAPABILITY_VERSION_3, THIS_THREAD).buffer);
  if (libc().capset(header, new Uint8Array(SETS_BYTES)) !== 0) throw lastError();
  const own = "/proc/thread-self/status";
  for (const status of [Deno.readTextFileSync(own), await Deno.readTextFile(own)]) {
    if (!/^CapPrm:\t0+\nCapEff:\t0+$/m.test(status)) {
      throw new Error("a thread for sandboxed file requests could not give up its capabilities");
    }
  }
}
