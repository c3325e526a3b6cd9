import { unknownKey } from "./file_layer.ts";
import { domainPattern, listenPattern } from "./patterns.ts";
import { acceptedValue, type Member, parseMembers, SCHEMA_KEY } from "./jsonc_file.ts";
import { commandLimits } from "./command_limits.ts";
import { ConfigurationError, type FilePosition, positionText } from "./origin.ts";
import {
  type ConfiguredCommand,
  isSettingName,
  type SettingName,
  settingNames,
  SETTINGS,
} from "./settings.ts";
import { absolutePath, choice, listOf, toggle, type ValueType } from "./value_types.ts";

/** One requirement that an administrator can set. */
export interface Requirement<T> {
  readonly type: ValueType<T>;
  /** What it requires, for people. */
  readonly meaning: string;
}

const table = {
  requireSandbox: {
    type: toggle(),
    meaning:
      "commands and file requests need a sandbox that restricts files, and are refused if it " +
      "cannot be enforced; `disabled`, `external` and full access do not count as one",
  },
  allowedWorkspaceRoots: {
    type: listOf(absolutePath("DIR")),
    meaning: "directories that contain all that a sandbox may write, its workspace roots and the " +
      "command's working directory; list the temporary directory too. Requires a sandbox",
  },
  allowedNetwork: {
    type: choice("NETWORK", ["none", "proxy", "managed", "any"]),
    meaning: "network that a sandbox may allow: none, proxy (by name, through the executor's " +
      "proxy), managed (also through proxies that the client runs here) or any. http/request is " +
      "refused unless it is `any`",
  },
  allowedDomains: {
    type: listOf<string>(domainPattern()),
    meaning: "the only hosts that commands may reach: NAME, *.NAME, **.NAME, * or an address. " +
      "Leaves no other network than proxy",
  },
  deniedDomains: {
    type: listOf<string>(domainPattern()),
    meaning: "hosts that commands may not reach, whatever else allows them. Leaves no other " +
      "network than proxy",
  },
  allowUpstreamProxy: {
    type: toggle(),
    meaning: "false: the executor's proxy connects directly, never through a proxy of HTTP_PROXY " +
      "and similar variables",
  },
  forbidPortForwarding: {
    type: toggle(),
    meaning:
      "the `forbidPortForwarding` of every executor. Clients cannot connect to ports of this " +
      "machine either unless `allowedNetwork` is `any`",
  },
  sandboxMechanism: {
    type: choice("MECHANISM", ["bubblewrap", "landlock"]),
    meaning: "the only mechanism that sandboxes commands on Linux: bubblewrap or landlock",
  },
  auditLog: {
    type: absolutePath("PATH"),
    meaning: "the `auditLog` of every executor; commands are refused while it cannot be written",
  },
  allowedListen: {
    type: listOf<string>(listenPattern()),
    meaning: "addresses that an executor may listen on: stdio, unix, unix:PATH, loopback, " +
      "ws://HOST:PORT or ws://HOST:*",
  },
  commandLimits: {
    type: commandLimits(),
    meaning: "the most that `commandLimits` may allow; each limit that nobody set is set to it",
  },
  requireAuthentication: {
    type: choice("WHERE", ["remote", "always"]),
    meaning:
      "remote: --insecure-no-auth is refused; always: loopback addresses and unix sockets need " +
      "authentication too",
  },
  requireTls: {
    type: toggle(),
    meaning: "addresses that other machines can reach must be encrypted",
  },
};

/** The requirement that bounds the numeric settings it names. */
export const MAXIMUM = "maximum";
/** What {@linkcode MAXIMUM} requires, for people. */
export const MAXIMUM_MEANING =
  "object of numeric settings and the largest value of each; built-in " +
  "defaults are lowered to it";

/** The name of a requirement, as the file has it. */
export type RequirementName = keyof typeof table;

/** The values that requirements have. */
export type RequirementValues = {
  readonly [Name in RequirementName]: (typeof table)[Name] extends Requirement<infer T> ? T : never;
};

/** The requirements by name. */
export const REQUIREMENTS: {
  readonly [Name in RequirementName]: Requirement<RequirementValues[Name]>;
} = table;

/** The names of all requirements, in the order of the table. */
export function requirementNames(): RequirementName[] {
  return Object.keys(REQUIREMENTS).filter(isRequirementName);
}

function isRequirementName(name: string): name is RequirementName {
  return Object.hasOwn(REQUIREMENTS, name);
}

/** The largest value of a setting. */
export interface Bound {
  readonly most: number;
  readonly position: FilePosition;
}

interface Demand {
  readonly value: unknown;
  readonly position: FilePosition;
}

/** The requirements of an administrator. */
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

  /** The value of a requirement, or undefined. */
  get<Name extends RequirementName>(name: Name): RequirementValues[Name] | undefined {
    const value = this.#demands.get(name)?.value;
    return REQUIREMENTS[name].type.accepts(value) ? value : undefined;
  }

  /** The position of a requirement in the file; undefined if it is not set. */
  position(name: RequirementName): FilePosition | undefined {
    return this.#demands.get(name)?.position;
  }

  /** The name of a requirement for messages, with its position. */
  nameOf(name: RequirementName): string {
    const position = this.position(name);
    return position === undefined ? name : `${positionText(position)}: ${name}`;
  }
}

/**
 * Reads the administrator's file.
 *
 * @throws {ConfigurationError} naming the file, the line and the key that is wrong
 */
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
