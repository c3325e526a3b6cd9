/** Places in what the threads share. */
const LOCK = 0;
const USERS = 1;
const CHANGES = 2;
const SHARED_BYTES = 12;

const FREE = 0;
const TAKEN = 1;

/** How something of the whole program is changed for a while. Neither waits for anything. */
export interface Change {
  make(): void;
  undo(): void;
}

/**
 * Something of the whole program that is changed for as long as any of its threads needs that: the
 * first makes the change and the last undoes it.
 */
export class SharedChange {
  readonly #state: Int32Array;
  readonly #change: Change;

  /** @param shared what all threads with this change have in common: see {@linkcode shareChange} */
  constructor(shared: SharedArrayBuffer, change: Change) {
    this.#state = new Int32Array(shared);
    this.#change = change;
  }

  /** Does something while the change is made. */
  during<T>(action: () => T): T {
    this.#locked(() => {
      if (Atomics.add(this.#state, USERS, 1) > 0) return;
      Atomics.add(this.#state, CHANGES, 1);
      this.#change.make();
    });
    try {
      return action();
    } finally {
      this.#locked(() => {
        if (Atomics.sub(this.#state, USERS, 1) === 1) this.#change.undo();
      });
    }
  }

  /**
   * Does something while the change is undone. Whoever needs the change at that very moment goes
   * without: only for what takes no time, and cannot be done otherwise.
   */
  undone<T>(action: () => T): T {
    return this.#locked(() => {
      const made = Atomics.load(this.#state, USERS) > 0;
      if (made) this.#change.undo();
      try {
        return action();
      } finally {
        if (made) this.#change.make();
      }
    });
  }

  /** Does something, and tells whether the change was made at any time meanwhile. */
  watch<T>(action: () => T): { readonly result: T; readonly changed: boolean } {
    const before = Atomics.load(this.#state, CHANGES);
    const atBegin = Atomics.load(this.#state, USERS) > 0;
    const result = action();
    return { result, changed: atBegin || Atomics.load(this.#state, CHANGES) !== before };
  }

  /** For a moment: whoever holds the lock waits for nothing. */
  #locked<T>(action: () => T): T {
    while (Atomics.compareExchange(this.#state, LOCK, FREE, TAKEN) !== FREE) {
      Atomics.wait(this.#state, LOCK, TAKEN);
    }
    try {
      return action();
    } finally {
      Atomics.store(this.#state, LOCK, FREE);
      Atomics.notify(this.#state, LOCK, 1);
    }
  }
}

/** What threads are told that have a change in common. */
export function shareChange(): SharedArrayBuffer {
  return new SharedArrayBuffer(SHARED_BYTES);
}
