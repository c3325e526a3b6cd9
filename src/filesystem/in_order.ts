/**
 * Does what is about the same thing one after the other, in the order in which it comes. What is
 * about different things does not wait for each other.
 */
export class InOrder {
  /** What came last about a thing and is not done. It never rejects. */
  readonly #last = new Map<string, Promise<void>>();

  /** Whether nothing is under way about any of these, which are looked at only if anything is. */
  isFree(things: Iterable<string>): boolean {
    if (this.#last.size === 0) return true;
    for (const thing of things) if (this.#last.has(thing)) return false;
    return true;
  }

  /**
   * Does work about a thing once what came before it is done, be it in vain.
   *
   * @param after what is under way about these comes before it. @default the thing itself
   */
  async run<T>(
    thing: string,
    work: () => Promise<T>,
    after: Iterable<string> = [thing],
  ): Promise<T> {
    // All of that came earlier, so that no two can wait for each other.
    const before = this.#last.size === 0 ? [] : this.#underWay(after);
    const doing = before.length === 0 ? work() : Promise.all(before).then(work);
    const done = doing.then(() => {}, () => {});
    this.#last.set(thing, done);
    try {
      return await doing;
    } finally {
      if (this.#last.get(thing) === done) this.#last.delete(thing);
    }
  }

  #underWay(things: Iterable<string>): Promise<void>[] {
    return Array.from(things, (thing) => this.#last.get(thing)).filter((last) =>
      last !== undefined
    );
  }
}
