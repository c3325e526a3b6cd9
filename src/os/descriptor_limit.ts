import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_NOFILE = 7;
/** A command takes four descriptors, a client one: enough for the default limits of all. */
const ENOUGH = 65_536n;
const OPEN_DESCRIPTORS = "/proc/self/fd";
/** What a thread may open while it begins. */
const SPARE = 256n;
/** This program, in place of a process id. */
const ITSELF = 0;

/** This program's limits, once it has raised its own: soft and hard as `struct rlimit` has them. */
export interface DescriptorLimits {
  readonly inherited: Uint8Array<ArrayBuffer>;
  readonly raised: Uint8Array<ArrayBuffer>;
}

let limits: DescriptorLimits | undefined;
/** How many starts are under way for which this program has the limit that it was started with. */
let lowered = 0;

/**
 * Lets this program have as many descriptors as it may need: the soft limit is often 1024 for the
 * sake of programs that use select(2), and meant to be raised by those that do not (setrlimit(2)).
 */
export function raiseDescriptorLimit(): void {
  const limit = new BigUint64Array(2);
  const bytes = new Uint8Array(limit.buffer);
  if (libc()?.prlimit(ITSELF, RLIMIT_NOFILE, null, bytes) !== 0) return;
  const [soft = 0n, hard = 0n] = limit;
  const wanted = hard < ENOUGH ? hard : ENOUGH;
  if (soft >= wanted) return;
  const inherited = bytes.slice();
  limit[0] = wanted;
  if (set(bytes)) adoptDescriptorLimits({ inherited, raised: bytes });
}

/** This program's limits; undefined if it has not raised them. */
export function descriptorLimits(): DescriptorLimits | undefined {
  return limits;
}

/** How many descriptors a program can have that this one starts; 0 if nobody tells. */
export function inheritedDescriptorLimit(): number {
  const limit = new BigUint64Array(2);
  const bytes = limits?.inherited ?? new Uint8Array(limit.buffer);
  if (limits === undefined && libc()?.prlimit(ITSELF, RLIMIT_NOFILE, null, bytes) !== 0) return 0;
  return Number(softLimit(bytes));
}

/** Goes by these limits from now on. */
export function adoptDescriptorLimits(known: DescriptorLimits | undefined): void {
  limits = known;
}

/**
 * Gives this program the limit that it was started with until what is returned has been disposed of, so
 * that a program which is started meanwhile is born with it: there are programs that close every
 * descriptor up to the limit, or cannot deal with high numbers. To set the limit of a program that runs
 * already would come too late for its first instructions, and undo what it has set itself.
 *
 * Descriptors that are open stay open. Another thread that needs one past the limit meanwhile is refused it
 * (EMFILE) and may ask again: see {@linkcode lacksDescriptorsWhileLowered}.
 */
export function lowerDescriptorLimit(): Disposable {
  if (lowered++ === 0) applyLimit();
  const holder = new DisposableStack();
  holder.defer(() => {
    if (--lowered === 0) applyLimit();
  });
  return holder;
}

/** Does something at once for which this program's own limit has to be in force. */
export function withOwnDescriptorLimit<T>(action: () => T): T {
  const held = lowered;
  lowered = 0;
  applyLimit();
  try {
    return action();
  } finally {
    lowered = held;
    applyLimit();
  }
}

/** Whether so many descriptors are open that there are hardly any below the limit that is lowered to. */
export function lacksDescriptorsWhileLowered(): boolean {
  return limits !== undefined && BigInt(openDescriptors()) + SPARE > softLimit(limits.inherited);
}

function applyLimit(): void {
  if (limits !== undefined) set(lowered > 0 ? limits.inherited : limits.raised);
}

/** How many are open (proc_pid_fd(5)); before Linux 6.2 the directory has to be read for it. */
function openDescriptors(): number {
  try {
    const { size } = Deno.statSync(OPEN_DESCRIPTORS);
    return size > 0 ? size : Array.from(Deno.readDirSync(OPEN_DESCRIPTORS)).length;
  } catch {
    return 0;
  }
}

function softLimit(limit: Uint8Array<ArrayBuffer>): bigint {
  return new DataView(limit.buffer, limit.byteOffset).getBigUint64(0, true);
}

function set(limit: Uint8Array<ArrayBuffer>): boolean {
  return libc()?.prlimit(ITSELF, RLIMIT_NOFILE, limit, null) === 0;
}
