import { delay } from "@std/async/delay";
import { internalError } from "../../protocol/errors.ts";
import { type GroupPlan, RestrictedGroup, SpareThreads } from "./restricted_group.ts";

/** What is done unless told otherwise. */
const DEFAULTS = {
  /** How many plans can be in force at the same time. */
  maxGroups: 24,
  /** How long threads are kept that have nothing to do, in milliseconds. */
  idleMs: 60_000,
  /** How long after a plan has been put in force threads for the next are made, in milliseconds. */
  aheadMs: 500,
  /** How long to wait for one that ends to make room, in milliseconds. */
  roomMs: 500,
};

/** A plan in force. */
interface PooledGroup {
  readonly group: Promise<RestrictedGroup>;
  /** Undefined until the plan is in force. */
  made: RestrictedGroup | undefined;
  /** When it was asked for last, on the clock of `performance.now()`. */
  usedAt: number;
}

/**
 * Keeps plans in force that commands are started by: those with the same plan share the threads, and
 * threads for a plan that nobody has asked for yet are made ahead.
 */
export class GroupPool implements Disposable {
  readonly #options: typeof DEFAULTS;
  readonly #groups = new Map<string, PooledGroup>();
  /** Those included that only wait for the processes that their commands left behind. */
  readonly #all = new Set<RestrictedGroup>();
  #spare: SpareThreads | undefined;
  #disposed = false;
  #idle: number | undefined;

  constructor(options: Partial<typeof DEFAULTS> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** How many plans are in force. */
  get size(): number {
    return this.#all.size;
  }

  /**
   * The threads for a plan.
   *
   * @param key the same for the same plan
   * @throws {RpcError} -32603 if the plan cannot be put in force, or too many are
   */
  async take(key: string, plan: () => GroupPlan): Promise<RestrictedGroup> {
    this.#watchIdle();
    const pooled = this.#groups.get(key);
    if (pooled !== undefined && pooled.made?.works !== false) {
      pooled.usedAt = performance.now();
      return await pooled.group;
    }
    return await this.#make(key, plan());
  }

  /** Has threads made for the first plan, which comes soon. Later ones find some that are made. */
  prepareFirst(): void {
    if (this.#groups.size === 0) this.prepare();
  }

  /** Has threads made for a plan that comes later. */
  prepare(): void {
    if (this.#spare !== undefined || this.#disposed) return;
    this.#spare = new SpareThreads();
    // Whoever takes them is told of a failure, or has others made.
    void this.#spare.makeAhead().catch(() => {});
    this.#watchIdle();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearInterval(this.#idle);
    this.#idle = undefined;
    this.#spare?.[Symbol.dispose]();
    this.#spare = undefined;
    for (const group of this.#all) group[Symbol.dispose]();
    this.#groups.clear();
  }

  async #make(key: string, plan: GroupPlan): Promise<RestrictedGroup> {
    const group = this.#makeRoom().then(() => RestrictedGroup.make(this.#takeSpare(), plan));
    const pooled: PooledGroup = { group, made: undefined, usedAt: performance.now() };
    this.#groups.set(key, pooled);
    try {
      const made = await group;
      pooled.made = made;
      this.#all.add(made);
      void made.ended.then(() => this.#forget(key, made));
      return made;
    } catch (error) {
      if (this.#groups.get(key) === pooled) this.#groups.delete(key);
      throw error;
    } finally {
      // Not while the first command starts: making threads keeps this one busy.
      Deno.unrefTimer(setTimeout(() => this.prepare(), this.#options.aheadMs));
    }
  }

  /** @throws {RpcError} -32603 */
  async #makeRoom(): Promise<void> {
    if (this.#all.size < this.#options.maxGroups) return;
    const idle = [...this.#groups.values()]
      .filter(({ made }) => made?.works && !made.inUse)
      .sort((left, right) => left.usedAt - right.usedAt);
    for (const { made } of idle) {
      made?.retire();
      // Without any process left it is over soon.
      await Promise.race([made?.ended, delay(this.#options.roomMs)]);
      if (this.#all.size < this.#options.maxGroups) return;
    }
    throw internalError(
      `commands in ${this.#all.size} different sandboxes are running, which is the most that ` +
        "Landlock's threads are kept for; nothing was started",
    );
  }

  #takeSpare(): SpareThreads {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare === undefined || spare.failed ? new SpareThreads() : spare;
  }

  #forget(key: string, group: RestrictedGroup): void {
    this.#all.delete(group);
    if (this.#groups.get(key)?.made === group) this.#groups.delete(key);
  }

  /** Looks from time to time for threads that have nothing to do, as long as there are any. */
  #watchIdle(): void {
    if (this.#idle !== undefined) return;
    this.#idle = setInterval(() => this.#endIdle(), this.#options.idleMs / 2);
    Deno.unrefTimer(this.#idle);
  }

  #endIdle(): void {
    const limit = performance.now() - this.#options.idleMs;
    for (const [key, { made, usedAt }] of this.#groups) {
      if (made === undefined || usedAt > limit || made.inUse) continue;
      made.retire();
      this.#groups.delete(key);
    }
    if (this.#groups.size > 0) return;
    this.#spare?.[Symbol.dispose]();
    this.#spare = undefined;
    clearInterval(this.#idle);
    this.#idle = undefined;
  }
}
