import type { Environment } from "../os/environment.ts";
import type { EnvironmentPolicy } from "../protocol/process.ts";
import { StartError } from "./child.ts";

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
 *
 * @throws {StartError} for a variable that the system could not have
 */
export function commandEnvironment(
  own: Environment,
  policy: EnvironmentPolicy | undefined,
  executors: Environment,
): Environment {
  refuseUnpaired(own);
  if (policy !== undefined) refuseUnpaired(policy.set);
  return policy === undefined ? own : { ...inheritedEnvironment(policy, executors), ...own };
}

/** Only what was inherited may hold bytes that are no text. */
function refuseUnpaired(sent: Environment): void {
  for (const [name, value] of Object.entries(sent)) {
    if (name.isWellFormed() && value.isWellFormed()) continue;
    throw new StartError("an unpaired surrogate in a variable");
  }
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

/**
 * A test for texts that match a pattern as a whole: `*` stands for any characters, `?` for exactly
 * one, every other for itself. Case does not matter.
 *
 * Takes time in proportion to both lengths multiplied at the most; as a regular expression, a
 * pattern with many stars could take longer than anyone waits.
 */
export function wildcardTest(pattern: string): (text: string) => boolean {
  const wanted = characters(pattern);
  return (text) => matches(characters(text), wanted);
}

function characters(text: string): readonly string[] {
  return [...text.toLowerCase()];
}

/** On a mismatch, the last star takes one character more; earlier ones need no second try. */
function matches(text: readonly string[], pattern: readonly string[]): boolean {
  let at = 0;
  let next = 0;
  let star: { readonly next: number; taken: number } | undefined;
  while (at < text.length) {
    if (pattern[next] === "*") {
      star = { next: ++next, taken: at };
    } else if (pattern[next] === "?" || pattern[next] === text[at]) {
      next++;
      at++;
    } else if (star !== undefined) {
      next = star.next;
      at = ++star.taken;
    } else {
      return false;
    }
  }
  return pattern.slice(next).every((character) => character === "*");
}
