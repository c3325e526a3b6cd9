import { addressOf } from "../../os/address.ts";
import { spawnAt, type SpawnCall } from "../../os/spawn.ts";

/** Places in what the two threads share, in words of 32 bits: whose turn it is, and the error number. */
const TURN = 0;
const ERRNO = 1;
const ADDRESSES_OFFSET = 8;
const ADDRESSES = 6;

/** Whose turn it is. */
const ASKERS = 0;
const SPAWNERS = 1;
const NOBODYS = 2;

/**
 * How long the program waits for a start at once, in milliseconds: any that goes well takes less, and two
 * turns of the event loop would take as long as that. A program that is stopped before it has begun, by
 * another in its sandbox, must hold up its own sandbox alone.
 */
const AT_ONCE_MS = 10;

/** What starts on other threads are given, for as long as they may be under way. */
const inUse = new Set<SpawnCall>();

/** Has another thread start programs, one after the other. */
export class ThreadSpawner {
  /** For {@linkcode serveSpawns}. */
  readonly shared = new SharedArrayBuffer(ADDRESSES_OFFSET + ADDRESSES * 8);
  readonly #state = new Int32Array(this.shared, 0, ADDRESSES_OFFSET / 4);
  readonly #addresses = new BigUint64Array(this.shared, ADDRESSES_OFFSET, ADDRESSES);
  /** A start that takes longer than others. */
  #slow: PromiseWithResolvers<void> | undefined;

  /**
   * Returns the error number, 0 if there is none.
   *
   * @throws {Error} when the thread has failed meanwhile
   */
  async spawn(call: SpawnCall): Promise<number> {
    while (this.#slow !== undefined) await this.#slow.promise;
    inUse.add(call);
    this.#addresses.set(call.map(addressOf));
    Atomics.store(this.#state, TURN, SPAWNERS);
    Atomics.notify(this.#state, TURN);
    Atomics.wait(this.#state, TURN, SPAWNERS, AT_ONCE_MS);
    if (!this.#isAnswered()) await this.#answer();
    inUse.delete(call);
    return this.#state[ERRNO] ?? 0;
  }

  /** The thread has failed. */
  fail(reason: Error): void {
    this.#slow?.reject(reason);
  }

  /** Has the thread do something else again, as ending: it hears of nothing else while it waits. */
  end(): void {
    Atomics.store(this.#state, TURN, NOBODYS);
    Atomics.notify(this.#state, TURN);
  }

  #isAnswered(): boolean {
    return Atomics.load(this.#state, TURN) === ASKERS;
  }

  async #answer(): Promise<void> {
    this.#slow = Promise.withResolvers();
    this.#look(this.#slow.resolve);
    try {
      await this.#slow.promise;
    } finally {
      this.#slow = undefined;
    }
  }

  async #look(answered: () => void): Promise<void> {
    while (!this.#isAnswered()) await Atomics.waitAsync(this.#state, TURN, SPAWNERS).value;
    answered();
  }
}

/** Starts programs on this thread, which does nothing else until it is told so. */
export function serveSpawns(shared: SharedArrayBuffer): void {
  const state = new Int32Array(shared, 0, ADDRESSES_OFFSET / 4);
  const addresses = new BigUint64Array(shared, ADDRESSES_OFFSET, ADDRESSES);
  while (true) {
    Atomics.wait(state, TURN, ASKERS);
    const turn = Atomics.load(state, TURN);
    if (turn === NOBODYS) return;
    if (turn === ASKERS) continue;
    state[ERRNO] = spawnAt(addresses);
    // It may have been told meanwhile.
    if (Atomics.compareExchange(state, TURN, SPAWNERS, ASKERS) !== SPAWNERS) return;
    Atomics.notify(state, TURN);
  }
}
