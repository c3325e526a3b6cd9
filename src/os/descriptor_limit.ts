import { linuxTable } from "./libc.ts";
import { HeldChange } from "./held_change.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_NOFILE = 7;
/** A command takes four descriptors, a client one: enough for the default limits of all. */
const ENOUGH = 65_536n;
/** This program, in place of a process id. */
const ITSELF = 0;

/** This program's limits, once it has raised its own: soft and hard as `struct rlimit` has them. */
export interface DescriptorLimits {
  readonly inherited: Uint8Array<ArrayBuffer>;
  readonly raised: Uint8Array<ArrayBuffer>;
}

let limits: DescriptorLimits | undefined;
let lowering: HeldChange | undefined;

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
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

/** Goes by these limits from now on. */
export function adoptDescriptorLimits(known: DescriptorLimits | undefined): void {
  limits = known;
  lowering = known && new HeldChange({
    make: () => void set(known.inherited),
    undo: () => void set(known.raised),
  });
}

/**
 * Gives this program the limit that it was started with until what is returned has been disposed of, so
 * that a program which is started meanwhile is born with it: there are programs that close every
 * descriptor up to the limit, or cannot deal with high numbers. To set the limit of a program that runs
 * already would come too late for its first instructions, and undo what it has set itself.
 *
 * Descriptors that are open stay open. Whoever needs one past the limit meanwhile is refused it (EMFILE)
 * and may ask again when no program is being started any more.
 */
export function lowerDescriptorLimit(): Disposable | undefined {
  return lowering?.hold();
}

/** Does something at once for which this program's own limit has to be in force. */
export function withOwnDescriptorLimit<T>(action: () => T): T {
  return lowering === undefined ? action() : lowering.undone(action);
}

function set(limit: Uint8Array<ArrayBuffer>): boolean {
  return libc()?.prlimit(ITSELF, RLIMIT_NOFILE, limit, null) === 0;
}
