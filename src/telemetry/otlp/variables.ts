/** A variable that is ignored, and why. */
export interface SettingProblem {
  readonly variable: string;
  /** Without the value, which may be a secret. */
  readonly reason: string;
}

/**
 * Reads variables of the OpenTelemetry specification. An empty one counts as not set; an invalid one is
 * noted as a problem and replaced by its default, as the specification asks
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 */
export class OtelVariables {
  readonly problems: SettingProblem[] = [];
  readonly #values: Readonly<Record<string, string>>;

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = values;
  }

  /** Notes a problem, once. */
  problem(variable: string, reason: string): void {
    const known = this.problems.some((one) => one.variable === variable && one.reason === reason);
    if (!known) this.problems.push({ variable, reason });
  }

  /** The first of some variables that is set, with its value. */
  first(...names: readonly string[]): { name: string; value: string } | undefined {
    for (const name of names) {
      const value = this.text(name);
      if (value !== undefined) return { name, value };
    }
    return undefined;
  }

  text(name: string): string | undefined {
    return this.#values[name]?.trim() || undefined;
  }

  isTrue(name: string): boolean {
    return this.text(name)?.toLowerCase() === "true";
  }

  /** The value of the first variable that is set, if it is one of some words. */
  choice<const T extends string>(
    names: readonly string[],
    words: readonly T[],
    fallback: NoInfer<T>,
  ): T {
    const given = this.first(...names);
    if (given === undefined) return fallback;
    const word = words.find((word) => word === given.value.toLowerCase());
    if (word !== undefined) return word;
    this.problem(given.name, `it can be ${words.join(", ")}; ${fallback} is used`);
    return fallback;
  }

  /** The value of the first variable that is set, if it is a whole number above zero. */
  count(names: readonly string[], fallback: number): number {
    const given = this.first(...names);
    if (given === undefined) return fallback;
    const number = Number(given.value);
    if (Number.isSafeInteger(number) && number > 0 && number < 2 ** 31) return number;
    this.problem(given.name, `it must be a whole number above 0; ${fallback} is used`);
    return fallback;
  }

  /** A number from 0 to 1. */
  ratio(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const number = Number(text);
    if (number >= 0 && number <= 1) return number;
    this.problem(name, `it must be a number from 0 to 1; ${fallback} is used`);
    return fallback;
  }
}
