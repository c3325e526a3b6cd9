import { libc } from "./libc.ts";

const RLIMIT_NOFILE = 7;
/** A command takes four descriptors, a client one: enough for the default limits of all. */
const ENOUGH = 65_536n;

/** What this program was started with, once it has raised its own. */
let inherited: Uint8Array<ArrayBuffer> | undefined;

/**
 * Lets this program have as many descriptors as it may need: the soft limit is often 1024 for the
 * sake of programs that use select(2), and meant to be raised by those that do not (setrlimit(2)).
 */
export function raiseDescriptorLimit(): void {
  const limit = new BigUint64Array(2);
  const bytes = new Uint8Array(limit.buffer);
  if (libc().prlimit(0, RLIMIT_NOFILE, null, bytes) !== 0) return;
  const [soft = 0n, hard = 0n] = limit;
  const wanted = hard < ENOUGH ? hard : ENOUGH;
  if (soft >= wanted) return;
  const before = bytes.slice();
  limit[0] = wanted;
  if (libc().prlimit(0, RLIMIT_NOFILE, bytes, null) === 0) inherited = before;
}

/**
 * Gives a program that has just been started the limit that this one was started with: there are
 * programs that close every descriptor up to the limit, or cannot deal with high numbers.
 *
 * One that runs as another user keeps the raised limit (prlimit(2)).
 */
export function restoreDescriptorLimit(pid: number): void {
  if (inherited !== undefined) libc().prlimit(pid, RLIMIT_NOFILE, inherited, null);
}
