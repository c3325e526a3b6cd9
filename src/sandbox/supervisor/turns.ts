/** What waits to be served: one of each kind in turn, however much there is of one. */
export class Turns<K, T> {
  /** Whose turn is next comes first. */
  readonly #waiting = new Map<K, T[]>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(kind: K, item: T): void {
    const others = this.#waiting.get(kind);
    if (others === undefined) this.#waiting.set(kind, [item]);
    else others.push(item);
  }

  /** Takes out what is to be served next; undefined if there is nothing. */
  next(): T | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [kind, items] = first;
    const item = items.shift();
    this.#waiting.delete(kind);
    if (items.length > 0) this.#waiting.set(kind, items);
    return item;
  }
}
