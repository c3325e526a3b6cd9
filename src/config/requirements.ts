import { unknownKey } from "./file_layer.ts";
import { domainPattern } from "./domain_pattern.ts";
import { acceptedValue, type Member, parseMembers, SCHEMA_KEY } from "./jsonc_file.ts";
import { listenPattern } from "./listen_pattern.ts";
import { ConfigurationError, type FilePosition, positionText } from "./origin.ts";
import {
  type ConfiguredCommand,
  isSettingName,
  type SettingName,
  settingNames,
  SETTINGS,
} from "./settings.ts";
import { absolutePath, choice, listOf, toggle, type ValueType } from "./value_types.ts";

/** Something that an administrator can demand. */
export interface Requirement<T> {
  readonly type: ValueType<T>;
  /** What it demands, for people. */
  readonly meaning: string;
}

const table = {
  requireSandbox: {
    type: toggle(),
    meaning: "commands and file requests must come with a sandbox that restricts files, and be " +
      "enclosed in it; `disabled`, `external` and full access are none",
  },
  allowedWorkspaceRoots: {
    type: listOf(absolutePath("DIR")),
    meaning: "directories below which everything lies that a sandbox lets write, its workspace " +
      "roots and the command's working directory; the temporary directory needs to be listed " +
      "too. It requires a sandbox",
  },
  allowedNetwork: {
    type: choice("NETWORK", ["none", "proxy", "managed", "any"]),
    meaning:
      "the network that a sandbox may leave: none, proxy (by name, through this executor's " +
      "own), managed (by proxies that the client runs here too) or any. Below `any` http/request " +
      "is refused",
  },
  allowedDomains: {
    type: listOf<string>(domainPattern()),
    meaning: "hosts outside of which nothing is reached: NAME, *.NAME, **.NAME, * or an address. " +
      "It leaves no other network than proxy",
  },
  deniedDomains: {
    type: listOf<string>(domainPattern()),
    meaning: "hosts that are not reached, whatever else allows them. It leaves no other network " +
      "than proxy",
  },
  allowUpstreamProxy: {
    type: toggle(),
    meaning: "false: this executor's proxy connects by itself, and never through what HTTP_PROXY " +
      "and the like name",
  },
  sandboxMechanism: {
    type: choice("MECHANISM", ["bubblewrap", "landlock"]),
    meaning: "what encloses commands on Linux: bubblewrap or landlock, and nothing else",
  },
  allowedListen: {
    type: listOf<string>(listenPattern()),
    meaning: "where an executor may listen: stdio, unix, unix:PATH, loopback, ws://HOST:PORT or " +
      "ws://HOST:*",
  },
  requireAuthentication: {
    type: choice("WHERE", ["remote", "always"]),
    meaning:
      "remote: not to be replaced by --insecure-no-auth; always: on loopback addresses and " +
      "unix sockets too",
  },
  requireTls: {
    type: toggle(),
    meaning: "what others than this machine's programs can reach must be encrypted",
  },
};

/** The requirement that bounds numbers, one for each setting that is named in it. */
export const MAXIMUM = "maximum";
/** What it demands, for people. */
export const MAXIMUM_MEANING = "an object of settings that are numbers and the most they may be; " +
  "what is built in is lowered to that";

/** What a requirement is called in the file. */
export type RequirementName = keyof typeof table;

/** The values that requirements have. */
export type RequirementValues = {
  readonly [Name in RequirementName]: (typeof table)[Name] extends Requirement<infer T> ? T : never;
};

/** What there is to know of each requirement. */
export const REQUIREMENTS: {
  readonly [Name in RequirementName]: Requirement<RequirementValues[Name]>;
} = table;

/** All names, in the order of the table. */
export function requirementNames(): RequirementName[] {
  return Object.keys(REQUIREMENTS).filter(isRequirementName);
}

function isRequirementName(name: string): name is RequirementName {
  return Object.hasOwn(REQUIREMENTS, name);
}

/** The most that a setting may be. */
export interface Bound {
  readonly most: number;
  readonly position: FilePosition;
}

interface Demand {
  readonly value: unknown;
  readonly position: FilePosition;
}

/** What an administrator demands. */
export class Requirements {
  readonly maximum: ReadonlyMap<SettingName, Bound>;
  readonly #demands: ReadonlyMap<RequirementName, Demand>;

  /** @param demands whose values have been accepted */
  constructor(
    demands: ReadonlyMap<RequirementName, Demand>,
    maximum: ReadonlyMap<SettingName, Bound>,
  ) {
    this.#demands = demands;
    this.maximum = maximum;
  }

  /** What is demanded, or undefined. */
  get<Name extends RequirementName>(name: Name): RequirementValues[Name] | undefined {
    const value = this.#demands.get(name)?.value;
    return REQUIREMENTS[name].type.accepts(value) ? value : undefined;
  }

  /** Where it is demanded; undefined if it is not. */
  position(name: RequirementName): FilePosition | undefined {
    return this.#demands.get(name)?.position;
  }

  /** What to call it in messages. */
  nameOf(name: RequirementName): string {
    const position = this.position(name);
    return position === undefined ? name : `${positionText(position)}: ${name}`;
  }
}

/** Reads the administrator's file. @throws {ConfigurationError} naming the file, the line and the key that is wrong */
export async function parseRequirements(text: string, file: string): Promise<Requirements> {
  const demands = new Map<RequirementName, Demand>();
  let maximum: ReadonlyMap<SettingName, Bound> = new Map();
  for (const member of await parseMembers(text, file)) {
    const { key, position } = member;
    if (key === SCHEMA_KEY) continue;
    if (key === MAXIMUM) maximum = readMaximum(member);
    else if (isRequirementName(key)) demands.set(key, { value: valueOf(member, key), position });
    else throw unknownKey(member, [...requirementNames(), MAXIMUM], "remex config --help");
  }
  return new Requirements(demands, maximum);
}

function valueOf<Name extends RequirementName>(member: Member, name: Name): unknown {
  return acceptedValue(member, REQUIREMENTS[name].type);
}

const BOUNDED: ConfiguredCommand = "serve";

function readMaximum({ key, position, members }: Member): Map<SettingName, Bound> {
  if (members === undefined) {
    throw new ConfigurationError(`${positionText(position)}: \`${key}\` must be an object`);
  }
  const numbers = settingNames(BOUNDED).filter((name) => numberType(name) !== undefined);
  return new Map(members.map((member) => {
    const type = isSettingName(member.key) && numbers.includes(member.key)
      ? numberType(member.key)
      : undefined;
    if (!isSettingName(member.key) || type === undefined) {
      throw unknownKey(member, numbers, "remex config --help");
    }
    return [member.key, { most: acceptedValue(member, type), position: member.position }];
  }));
}

/** The type of a setting that is a number. */
function numberType(name: SettingName): ValueType<number> | undefined {
  const { type, fallback } = SETTINGS[name];
  if (typeof fallback !== "number") return undefined;
  return {
    ...type,
    accepts: (value): value is number => typeof value === "number" && type.accepts(value),
  };
}
