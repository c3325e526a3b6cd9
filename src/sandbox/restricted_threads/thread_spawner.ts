import { addressOf } from "../../os/address.ts";
import { withOwnDescriptorLimit } from "../../os/descriptor_limit.ts";
import { childrenOfThread } from "../../os/procfs.ts";
import { ownChildren, Signal, signalProcess } from "../../os/signals.ts";
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
const WAIT_MS = 10;
/** How often it waits for as long again, if the thread has not come to it yet. */
const MOST_WAITS = 100;
/** How often a start that takes longer is looked after, and when it is given up, in milliseconds. */
const LOOK_MS = 1;
const PATIENCE_MS = 30_000;

/** What starts on other threads are given, for as long as they may be under way. */
const inUse = new Set<SpawnCall>();

/** Has another thread start programs, one after the other. */
export class ThreadSpawner {
  /** For {@linkcode serveSpawns}. */
  readonly shared = new SharedArrayBuffer(ADDRESSES_OFFSET + ADDRESSES * 8);
  readonly #state = new Int32Array(this.shared, 0, ADDRESSES_OFFSET / 4);
  readonly #addresses = new BigUint64Array(this.shared, ADDRESSES_OFFSET, ADDRESSES);
  readonly #thread: () => number | undefined;
  /** A start that takes longer than others. */
  #slow: PromiseWithResolvers<number> | undefined;

  /** @param thread what the kernel calls the thread, when something is to be started */
  constructor(thread: () => number | undefined) {
    this.#thread = thread;
  }

  /**
   * Returns the error number, 0 if there is none.
   *
   * @param hold makes what the program is to inherit this program's own. It is held while nothing else gets
   * a turn, and not while another start is waited for
   * @throws {Error} when the thread has failed or ended
   */
  async spawn(call: SpawnCall, hold: () => Disposable): Promise<number> {
    while (this.#slow !== undefined) await this.#slow.promise;
    if (this.#turn() !== ASKERS) throw ended();
    inUse.add(call);
    this.#addresses.set(call.map(addressOf));
    this.#ask(hold);
    const errno = this.#turn() === SPAWNERS ? await this.#slowAnswer() : this.#answer();
    inUse.delete(call);
    return errno;
  }

  /** Waits until there is an answer, or a process. */
  #ask(hold: () => Disposable): void {
    using _held = hold();
    Atomics.store(this.#state, TURN, SPAWNERS);
    Atomics.notify(this.#state, TURN);
    for (let waits = 0; waits < MOST_WAITS; waits++) {
      Atomics.wait(this.#state, TURN, SPAWNERS, WAIT_MS);
      if (this.#turn() !== SPAWNERS || this.#signalNewborn(Signal.Continue)) return;
    }
  }

  /** The thread has failed. */
  fail(reason: Error): void {
    this.#slow?.reject(reason);
  }

  /**
   * Has the thread do something else again, as ending: it hears of nothing else while it waits. What it has
   * started and has not begun never does.
   */
  end(): void {
    if (this.#slow !== undefined) this.#signalNewborn(Signal.Kill);
    Atomics.store(this.#state, TURN, NOBODYS);
    Atomics.notify(this.#state, TURN);
  }

  #turn(): number {
    return Atomics.load(this.#state, TURN);
  }

  /** @throws {Error} when there is none, for the thread has ended */
  #answer(): number {
    if (this.#turn() !== ASKERS) throw ended();
    return this.#state[ERRNO] ?? 0;
  }

  /** Nobody asks for anything else before it is there. */
  async #slowAnswer(): Promise<number> {
    this.#slow = Promise.withResolvers();
    void this.#continueNewborn().then(this.#slow.resolve, this.#slow.reject);
    try {
      return await this.#slow.promise;
    } finally {
      this.#slow = undefined;
    }
  }

  /** Whoever may stop a program before it has begun is not let to: it has all that this program has open. */
  async #continueNewborn(): Promise<number> {
    const begin = performance.now();
    while (this.#turn() === SPAWNERS) {
      const isLate = performance.now() - begin > PATIENCE_MS;
      this.#signalNewborn(isLate ? Signal.Kill : Signal.Continue);
      await Atomics.waitAsync(this.#state, TURN, SPAWNERS, LOOK_MS).value;
    }
    return this.#answer();
  }

  /** Returns whether there is a process, as far as the kernel tells. */
  #signalNewborn(signal: number): boolean {
    const thread = this.#thread();
    // The limit of descriptors may be lowered, and no file be opened.
    const children = thread === undefined
      ? []
      : withOwnDescriptorLimit(() => childrenOfThread(Deno.pid, thread));
    const newborn = children.find((pid) => !ownChildren.has(pid));
    if (newborn !== undefined) signalProcess(newborn, signal);
    return newborn !== undefined;
  }
}

function ended(): Error {
  return new Error("the thread that starts commands has ended");
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
