/** Output that is retained, of which some can be dropped to make room. */
export interface Retainer {
  /** About what it takes, in the pool's unit. */
  readonly cost: number;
  /** Drops the oldest until it takes no more than so many bytes. */
  shrink(cost: number): void;
}

/**
 * What the processes of an executor retain together, kept within a limit.
 *
 * When there is too much, output of processes that have ended and been read to the end goes first,
 * that of the oldest before the others'; then each of the others may keep an equal share.
 */
export class RetentionPool {
  readonly #limit: number;
  readonly #open = new Set<Retainer>();
  /** In the order in which they were closed. */
  readonly #closed = new Set<Retainer>();
  /** Those that will retain nothing more, or only what they have now in another form. */
  readonly #finished = new WeakSet<Retainer>();
  #cost = 0;

  /** @param limit in bytes, or in another unit that all costs have. @default none */
  constructor(limit = Infinity) {
    this.#limit = limit;
  }

  /** What is retained, in the same unit. */
  get cost(): number {
    return this.#cost;
  }

  /** Whether somebody who retains nothing yet can have something, without a loss to what runs. */
  get hasRoom(): boolean {
    return this.#cost < this.#limit || this.#closed.size > 0;
  }

  /** Somebody retains more or less than before. @param difference in the same unit */
  changed(retainer: Retainer, difference: number): void {
    this.#cost += difference;
    if (difference > 0) {
      (this.#finished.has(retainer) ? this.#closed : this.#open).add(retainer);
    }
    if (retainer.cost === 0) this.#forget(retainer);
    if (difference > 0 && this.#cost > this.#limit) this.#makeRoom(retainer);
  }

  /** Somebody's process has ended: its output may go before that of the others. */
  closed(retainer: Retainer): void {
    this.#finished.add(retainer);
    if (this.#open.delete(retainer)) this.#closed.add(retainer);
  }

  #forget(retainer: Retainer): void {
    this.#open.delete(retainer);
    this.#closed.delete(retainer);
  }

  /** A fair share for everyone is looked for only when the newest has no more than that. */
  #makeRoom(newest: Retainer): void {
    for (const retainer of this.#closed) {
      if (retainer === newest) continue;
      retainer.shrink(0);
      if (this.#cost <= this.#limit) return;
    }
    const share = Math.floor(this.#limit / Math.max(1, this.#open.size));
    newest.shrink(Math.max(share, newest.cost - (this.#cost - this.#limit)));
    if (this.#cost <= this.#limit) return;
    for (const retainer of this.#open) retainer.shrink(share);
  }
}
