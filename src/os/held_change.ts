/** How something of the whole program is changed for a while. Neither waits for anything. */
export interface Change {
  make(): void;
  undo(): void;
}

/**
 * Something of the whole program that is changed for as long as anybody needs that: the first makes the
 * change and the last undoes it.
 */
export class HeldChange {
  readonly #change: Change;
  #holders = 0;

  constructor(change: Change) {
    this.#change = change;
  }

  /** Whether the change is made. */
  get held(): boolean {
    return this.#holders > 0;
  }

  /** Makes the change until what is returned has been disposed of. */
  hold(): Disposable {
    const holder = new DisposableStack();
    if (this.#holders++ === 0) this.#change.make();
    holder.defer(() => {
      if (--this.#holders === 0) this.#change.undo();
    });
    return holder;
  }
}
