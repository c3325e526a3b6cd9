import { delay } from "@std/async/delay";
import { childrenOf } from "../../os/procfs.ts";
import { ownChildren } from "../../os/signals.ts";
import { isSubreaper } from "../../os/subreaper.ts";
import { internalError } from "../../protocol/errors.ts";
import { type GroupPlan, RestrictedGroup } from "./restricted_group.ts";
import { SpareThreads } from "./spare_threads.ts";

/** What is done unless told otherwise. */
const DEFAULTS = {
  /** How many plans can be in force at the same time. */
  maxGroups: 24,
  /** How many are kept in force by threads with nothing to do: past that the new take their place. */
  keptGroups: 24,
  /** How long threads are kept that have nothing to do, in milliseconds. */
  idleMs: 60_000,
  /** The same of those that are left when the others have ended: the next command may need them. */
  lastIdleMs: 600_000,
  /** How long after a plan has been put in force threads for the next are made, in milliseconds. */
  aheadMs: 500,
  /** How long to wait for one that ends to make room, in milliseconds. */
  roomMs: 500,
  /** Whether Landlock holds for what is done on behalf of commands, which takes one thread more. */
  enforcesLandlock: true,
  /** Whether threads are made for further plans before there are any. */
  keepsSpare: true,
  /** Whether a process may be left of a command that has ended. */
  mayHaveLeftProcesses,
};

/** What the threads of a plan take, in bytes. */
const GROUP_BYTES = 45 * 1024 * 1024;
/** The share of all memory that those of all plans may take, and that those of idle ones may. */
const MOST_SHARE = 0.5;
const KEPT_SHARE = 0.25;

/** How many plans can be in force, and are kept so when idle, with so many bytes of memory. */
export function groupLimits(
  memoryBytes: number,
): Pick<typeof DEFAULTS, "maxGroups" | "keptGroups"> {
  const within = (share: number) =>
    Math.max(1, Math.min(DEFAULTS.maxGroups, Math.floor(memoryBytes * share / GROUP_BYTES)));
  return { maxGroups: within(MOST_SHARE), keptGroups: within(KEPT_SHARE) };
}

/** A plan in force for one owner. */
interface PooledGroup {
  owner: object;
  /** The same for the same plan. */
  readonly planKey: string;
  readonly group: Promise<RestrictedGroup>;
  /** Undefined until the plan is in force. */
  made: RestrictedGroup | undefined;
  /** When it was asked for last, on the clock of `performance.now()`. */
  usedAt: number;
  /** How many commands are being started by it, or need the thread that has started them. */
  leases: number;
}

/** Threads that stay until they are released. */
export interface GroupLease {
  readonly group: RestrictedGroup;
  /** Once is enough. */
  release(): void;
}

/**
 * Keeps plans in force that commands are started by.
 *
 * Commands of one owner with the same plan share the threads, and can reach each other: Landlock
 * keeps apart what has been restricted apart. Another owner with that plan gets the threads when no
 * process is left that they have started. Threads for a plan that nobody has asked for yet are made
 * ahead.
 */
export class GroupPool implements Disposable {
  readonly #options: typeof DEFAULTS;
  /** Those that can start commands. */
  readonly #groups = new Set<PooledGroup>();
  /** Those included that only wait for the processes that their commands left behind. */
  readonly #inForce = new Set<PooledGroup>();
  /** Settles when nobody is making room any more: one after the other does. */
  #room: Promise<void> = Promise.resolve();
  #spare: SpareThreads | undefined;
  #disposed = false;
  #ahead: number | undefined;
  #idle: number | undefined;

  constructor(options: Partial<typeof DEFAULTS> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** How many plans are in force. */
  get size(): number {
    return this.#inForce.size;
  }

  /**
   * Starts a command by the threads for an owner's plan.
   *
   * @param planKey the same for the same plan
   * @param start settles when the group knows of the command, or it could not be started
   * @throws {RpcError} -32603 if the plan cannot be put in force, or too many are
   */
  async use<T>(
    owner: object,
    planKey: string,
    plan: () => GroupPlan,
    start: (group: RestrictedGroup) => Promise<T>,
  ): Promise<T> {
    const { group, release } = await this.lease(owner, planKey, plan);
    try {
      return await start(group);
    } finally {
      release();
    }
  }

  /**
   * The threads for an owner's plan, which stay until they are released: some programs are killed
   * when the thread that has started them ends (PR_SET_PDEATHSIG).
   *
   * @param planKey the same for the same plan
   * @throws {RpcError} -32603 if the plan cannot be put in force, or too many are
   */
  async lease(owner: object, planKey: string, plan: () => GroupPlan): Promise<GroupLease> {
    this.#watchIdle();
    const pooled = this.#find(owner, planKey) ?? this.#make(owner, planKey, plan());
    pooled.leases++;
    let held = true;
    const release = () => {
      if (held) pooled.leases--;
      held = false;
      pooled.usedAt = performance.now();
    };
    try {
      return { group: await pooled.group, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Has threads made for the first plan, which comes soon. Later ones find some that are made. */
  prepareFirst(): void {
    if (this.#groups.size === 0) this.prepare();
  }

  /** Has threads made for a plan that comes later. */
  prepare(): void {
    if (this.#spare !== undefined || this.#disposed) return;
    this.#spare = this.#makeSpare();
    // Whoever takes them is told of a failure, or has others made.
    void this.#spare.makeAhead().catch(() => {});
    this.#watchIdle();
  }

  /** Not while the first command starts: making threads keeps this one busy. */
  #prepareLater(): void {
    clearTimeout(this.#ahead);
    if (this.#disposed || !this.#options.keepsSpare) return;
    this.#ahead = setTimeout(() => this.prepare(), this.#options.aheadMs);
    Deno.unrefTimer(this.#ahead);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#ahead);
    clearInterval(this.#idle);
    this.#idle = undefined;
    this.#spare?.[Symbol.dispose]();
    this.#spare = undefined;
    for (const { made } of this.#inForce) made?.[Symbol.dispose]();
    this.#groups.clear();
  }

  /** The owner's own, or one that nobody else's process is left of. */
  #find(owner: object, planKey: string): PooledGroup | undefined {
    const alike = [...this.#groups].filter((one) =>
      one.planKey === planKey && one.made?.works !== false
    );
    const own = alike.find((one) => one.owner === owner);
    if (own !== undefined) return own;
    const free = alike.find(isUnused);
    if (free === undefined || this.#options.mayHaveLeftProcesses()) return undefined;
    free.owner = owner;
    free.made?.passOn();
    return free;
  }

  #make(owner: object, planKey: string, plan: GroupPlan): PooledGroup {
    const { promise: group, resolve, reject } = Promise.withResolvers<RestrictedGroup>();
    const pooled: PooledGroup = {
      owner,
      planKey,
      group,
      made: undefined,
      usedAt: performance.now(),
      leases: 0,
    };
    this.#groups.add(pooled);
    void this.#putInForce(pooled, plan).then(resolve, (error) => {
      this.#forget(pooled);
      reject(error);
    }).finally(() => {
      this.#prepareLater();
    });
    return pooled;
  }

  async #putInForce(pooled: PooledGroup, plan: GroupPlan): Promise<RestrictedGroup> {
    const room = this.#room.then(() => this.#makeRoom(pooled));
    this.#room = room.catch(() => {});
    await room;
    const made = await RestrictedGroup.make(this.#takeSpare(), plan);
    if (this.#disposed) made[Symbol.dispose]();
    pooled.made = made;
    void made.ended.then(() => this.#forget(pooled));
    return made;
  }

  #forget(pooled: PooledGroup): void {
    this.#groups.delete(pooled);
    this.#inForce.delete(pooled);
  }

  /** Counts a plan among those in force as soon as there is room. @throws {RpcError} -32603 */
  async #makeRoom(pooled: PooledGroup): Promise<void> {
    while (this.#groups.size > this.#options.keptGroups) {
      const idle = this.#longestIdle();
      if (idle === undefined) break;
      this.#retire(idle);
    }
    const { maxGroups, roomMs } = this.#options;
    const deadline = performance.now() + roomMs;
    while (this.#inForce.size >= maxGroups) {
      // Which one is idle is looked at anew each time: meanwhile somebody may have come for it.
      const idle = this.#longestIdle();
      if (idle !== undefined) this.#retire(idle);
      const ending = idle ?? (performance.now() < deadline ? this.#ending() : undefined);
      if (ending === undefined) {
        throw internalError(
          `commands in ${this.#inForce.size} different sandboxes are running, which is the most ` +
            "that there is memory and room for; nothing was started",
        );
      }
      // Without any process left it is over soon.
      const over = new AbortController();
      const waited = delay(roomMs, { signal: over.signal }).catch(() => {});
      await Promise.race([ending.made?.ended, waited]);
      over.abort();
    }
    this.#inForce.add(pooled);
  }

  #longestIdle(): PooledGroup | undefined {
    return [...this.#groups].filter(isUnused)
      .toSorted((left, right) => left.usedAt - right.usedAt).at(0);
  }

  /** One whose threads have nothing to do any more but to end. */
  #ending(): PooledGroup | undefined {
    return [...this.#inForce].find((one) => !this.#groups.has(one) && isUnused(one));
  }

  /** Nobody gets it any more. It is in force until nothing is left of its commands. */
  #retire(pooled: PooledGroup): void {
    this.#groups.delete(pooled);
    pooled.made?.retire();
  }

  #takeSpare(): SpareThreads {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare === undefined || spare.failed ? this.#makeSpare() : spare;
  }

  #makeSpare(): SpareThreads {
    return new SpareThreads(this.#options.enforcesLandlock);
  }

  /** Looks from time to time for threads that have nothing to do, as long as there are any. */
  #watchIdle(): void {
    if (this.#idle !== undefined) return;
    this.#idle = setInterval(() => this.#endIdle(), this.#options.idleMs / 2);
    Deno.unrefTimer(this.#idle);
  }

  #endIdle(): void {
    const { idleMs, lastIdleMs } = this.#options;
    const now = performance.now();
    for (const pooled of this.#groups) {
      const patienceMs = this.#groups.size > 1 ? idleMs : lastIdleMs;
      if (!isUnused(pooled)) pooled.usedAt = now;
      else if (now - pooled.usedAt >= patienceMs) this.#retire(pooled);
    }
    if (this.#groups.size > 0) return;
    this.#spare?.[Symbol.dispose]();
    this.#spare = undefined;
    clearInterval(this.#idle);
    this.#idle = undefined;
  }
}

function isUnused({ made, leases }: PooledGroup): boolean {
  return made !== undefined && leases === 0 && !made.running;
}

/**
 * Whether a process may be left of a command that has ended. Each is a child of this program, its
 * subreaper (prctl(2)), unless its parent is left, too.
 */
function mayHaveLeftProcesses(): boolean {
  const children = new Set(childrenOf(Deno.pid));
  // Not all kernels have the list.
  const isListed = ownChildren.size > 0 && ownChildren.isSubsetOf(children);
  return !isSubreaper() || !isListed || !children.isSubsetOf(ownChildren);
}
