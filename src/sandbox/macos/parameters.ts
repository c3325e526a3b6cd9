/**
 * Values that a profile speaks of by name. They are handed over beside its text, so that nothing in
 * a path can be taken for a part of the profile.
 */
export class Parameters {
  readonly #names = new Map<string, string>();
  readonly #values = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** The term for a path in a filter, such as `(param "READ_0")`: one for each kind and path. */
  term(kind: string, path: string): string {
    const known = this.#names.get(`${kind} ${path}`);
    if (known !== undefined) return `(param "${known}")`;
    const count = this.#counts.get(kind) ?? 0;
    const name = `${kind}_${count}`;
    this.#counts.set(kind, count + 1);
    this.#names.set(`${kind} ${path}`, name);
    this.#values.set(name, path);
    return `(param "${name}")`;
  }

  /** The values in the order in which they were first spoken of, as arguments. */
  definitions(): string[] {
    return [...this.#values].flatMap(([name, value]) => ["-D", `${name}=${value}`]);
  }
}
