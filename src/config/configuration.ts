import { ConfigurationError, type Origin, outranks, positionText } from "./origin.ts";
import { optionOf, type SettingName, SETTINGS, type SettingValues } from "./settings.ts";

/** A value and where it was given. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** The settings that one source gives. */
export type Layer = ReadonlyMap<SettingName, Given>;

const BUILT_IN: Origin = { layer: "built in" };

/** The effective settings: of each the value of the highest layer that gives it. */
export class Configuration {
  readonly #given: Layer;

  /** @param layers in ascending rank; their values have been validated */
  constructor(layers: readonly Layer[]) {
    this.#given = new Map(layers.flatMap((layer) => [...layer]));
  }

  /** The value of a setting. */
  get<Name extends SettingName>(name: Name): SettingValues[Name] {
    const { type, fallback } = SETTINGS[name];
    const value = this.#given.get(name)?.value;
    return type.accepts(value) ? value : fallback;
  }

  /** The origin of a setting's value. */
  origin(name: SettingName): Origin {
    return this.#given.get(name)?.origin ?? BUILT_IN;
  }

  /** Whether any layer gives the setting. */
  isGiven(name: SettingName): boolean {
    return this.#given.has(name);
  }

  /** Whether a setting comes from a higher layer than another one. */
  outranks(name: SettingName, other: SettingName): boolean {
    return outranks(this.origin(name), this.origin(other));
  }

  /** The name of a setting for messages: its option, its variable, or its position in a file. */
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

  /** The value of a setting without its secret parts; undefined if it has none. */
  shown<Name extends SettingName>(name: Name): string | number | boolean | undefined {
    const { type } = SETTINGS[name];
    const value = this.get(name);
    return type.accepts(value) && type.shown !== undefined ? type.shown(value) : value;
  }

  /** The setting, its value and its layer in one line. */
  tell(name: SettingName): string {
    return `${this.nameOf(name)} is ${this.shown(name)} (${this.origin(name).layer})`;
  }

  /** A copy with another layer below all others. */
  withDefaults(layer: Layer): Configuration {
    return new Configuration([layer, this.#given]);
  }

  /** A copy with another layer on top of all others. */
  withOverrides(layer: Layer): Configuration {
    return new Configuration([this.#given, layer]);
  }

  /** The error of a wrong value. @param reason to be read after the setting's name */
  wrong(name: SettingName, reason: string): ConfigurationError {
    return new ConfigurationError(`${this.nameOf(name)}${reason}`);
  }
}
