import type { EnvironmentPolicy } from "../protocol/process.ts";
import { wildcardTest } from "./wildcard.ts";

/** A command's whole environment. */
export type Environment = Readonly<Record<string, string>>;

/** What `inherit: "core"` takes: who and where the user is, and which language they read. */
const CORE_VARIABLES = [
  "HOME",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "LOGNAME",
  "PATH",
  "SHELL",
  "TEMP",
  "TMP",
  "TMPDIR",
  "USER",
  "USERNAME",
];

/** Names that may hold secrets, left out unless the policy says otherwise. */
const DEFAULT_EXCLUDES = ["*KEY*", "*SECRET*", "*TOKEN*"];

/**
 * The environment of a command: its own variables alone, or, with a policy, laid over those that
 * the policy takes from the executor's.
 */
export function commandEnvironment(
  own: Environment,
  policy: EnvironmentPolicy | undefined,
  executors: Environment,
): Environment {
  return policy === undefined ? own : { ...inheritedEnvironment(policy, executors), ...own };
}

/** Applies the policy's steps in the order that the protocol sets. */
function inheritedEnvironment(policy: EnvironmentPolicy, executors: Environment): Environment {
  const excludes = [
    ...policy.ignoreDefaultExcludes ? [] : DEFAULT_EXCLUDES,
    ...policy.exclude,
  ].map(wildcardTest);
  const inherited = Object.entries(executors)
    .filter(([name]) => isInherited(name, policy.inherit))
    .filter(([name]) => !excludes.some((matches) => matches(name)));
  const all = [...inherited, ...Object.entries(policy.set)];
  if (policy.includeOnly.length === 0) return Object.fromEntries(all);
  const includes = policy.includeOnly.map(wildcardTest);
  return Object.fromEntries(all.filter(([name]) => includes.some((matches) => matches(name))));
}

function isInherited(name: string, inherit: EnvironmentPolicy["inherit"]): boolean {
  switch (inherit) {
    case "all":
      return true;
    case "core":
      return CORE_VARIABLES.includes(name.toUpperCase());
    case "none":
      return false;
  }
}
