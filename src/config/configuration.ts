import { ConfigurationError, type Origin, outranks, positionText } from "./origin.ts";
import { optionOf, type SettingName, SETTINGS, type SettingValues } from "./settings.ts";

/** A value and where it was given. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** What one place says. */
export type Layer = ReadonlyMap<SettingName, Given>;

const BUILT_IN: Origin = { layer: "built in" };

/** What is in force: of each setting the value that was given last. */
export class Configuration {
  readonly #given: Layer;

  /** @param layers later ones go over earlier ones; their values have been accepted */
  constructor(layers: readonly Layer[]) {
    this.#given = new Map(layers.flatMap((layer) => [...layer]));
  }

  /** The value of a setting. */
  get<Name extends SettingName>(name: Name): SettingValues[Name] {
    const { type, fallback } = SETTINGS[name];
    const value = this.#given.get(name)?.value;
    return type.accepts(value) ? value : fallback;
  }

  /** Where its value comes from. */
  origin(name: SettingName): Origin {
    return this.#given.get(name)?.origin ?? BUILT_IN;
  }

  /** Whether somebody decided it. */
  isGiven(name: SettingName): boolean {
    return this.#given.has(name);
  }

  /** Whether a setting was decided in a later layer than another one. */
  outranks(name: SettingName, other: SettingName): boolean {
    return outranks(this.origin(name), this.origin(other));
  }

  /** What to call a setting in messages: by the words in which it was given. */
  nameOf(name: SettingName): string {
    const origin = this.origin(name);
    switch (origin.layer) {
      case "built in":
      case "memory":
        return `--${optionOf(name)}`;
      case "command line":
        return origin.option;
      case "environment":
        return origin.variable;
      case "requirements":
      case "system file":
      case "user file":
      case "given file":
        return `${positionText(origin)}: ${name}`;
    }
  }

  /** What may be shown of a setting's value; undefined if there is none. */
  shown<Name extends SettingName>(name: Name): string | number | boolean | undefined {
    const { type } = SETTINGS[name];
    const value = this.get(name);
    return type.accepts(value) && type.shown !== undefined ? type.shown(value) : value;
  }

  /** A setting, its value and its layer in one line. */
  tell(name: SettingName): string {
    return `${this.nameOf(name)} is ${this.shown(name)} (${this.origin(name).layer})`;
  }

  /** The same with values for what nobody decided. */
  above(layer: Layer): Configuration {
    return new Configuration([layer, this.#given]);
  }

  /** The same with values that replace those of earlier layers. */
  below(layer: Layer): Configuration {
    return new Configuration([this.#given, layer]);
  }

  /** Something is wrong with the value of a setting. */
  wrong(name: SettingName, reason: string): ConfigurationError {
    return new ConfigurationError(`${this.nameOf(name)}${reason}`);
  }
}
