import { cString } from "../../os/c_strings.ts";
import { lastErrno } from "../../os/errno.ts";
import { RIGHTS_OF_A_FILE } from "./rights.ts";
import { calls, refusedBySystem, succeeded } from "../../os/launcher_calls.ts";
import type { LandlockGoverned, LauncherRule } from "./launcher_plan.ts";

/** The same numbers on all architectures. */
const SYS_OPENAT2 = 437n;
const SYS_LANDLOCK_CREATE_RULESET = 444n;
const SYS_LANDLOCK_ADD_RULE = 445n;
const SYS_LANDLOCK_RESTRICT_SELF = 446n;
const LANDLOCK_RULE_PATH_BENEATH = 1n;

const AT_FDCWD = -100n;
const O_CLOEXEC = 0o2000000n;
const O_PATH = 0o10000000n;
const O_DIRECTORY: bigint = Deno.build.arch === "aarch64" ? 0o40000n : 0o200000n;
const RESOLVE_NO_MAGICLINKS = 2n;
const RESOLVE_NO_SYMLINKS = 4n;

/** ENOENT, EACCES and ENOTDIR. */
const NOT_THERE: readonly number[] = [2, 13, 20];

/**
 * A set of rules, not in force yet (landlock_create_ruleset(2), landlock_add_rule(2)).
 *
 * Nothing is granted where nothing is any more, and where this user does not get.
 *
 * @returns its descriptor
 * @throws {LauncherError}
 */
export function createRuleset(
  governed: LandlockGoverned,
  rules: readonly LauncherRule[],
): number {
  const attributes = rulesetAttributes(governed);
  const ruleset = succeeded(
    "Landlock cannot be used",
    calls().landlock_create_ruleset(
      SYS_LANDLOCK_CREATE_RULESET,
      attributes,
      BigInt(attributes.length),
      0n,
    ),
  );
  for (const rule of rules) addRule(ruleset, rule);
  return ruleset;
}

/** Puts a set in force for this thread, and for whatever program it becomes. */
export function enforceRuleset(ruleset: number): void {
  succeeded(
    "Landlock cannot be put in force",
    calls().syscall(SYS_LANDLOCK_RESTRICT_SELF, BigInt(ruleset), 0n, 0n),
  );
}

/** `struct landlock_ruleset_attr`. */
function rulesetAttributes({ files, network, scopes }: LandlockGoverned) {
  return new Uint8Array(BigUint64Array.from([files, network, scopes], BigInt).buffer);
}

function addRule(ruleset: number, { path, rights }: LauncherRule): void {
  const found = openPath(path);
  if (found === undefined) return;
  const allowed = found.directory ? rights : rights & RIGHTS_OF_A_FILE;
  // struct landlock_path_beneath_attr, which is packed.
  const attributes = new DataView(new ArrayBuffer(12));
  attributes.setBigUint64(0, BigInt(allowed), true);
  attributes.setInt32(8, found.descriptor, true);
  succeeded(
    `Landlock cannot grant ${path}`,
    calls().landlock_add_rule(
      SYS_LANDLOCK_ADD_RULE,
      BigInt(ruleset),
      LANDLOCK_RULE_PATH_BENEATH,
      new Uint8Array(attributes.buffer),
      0n,
    ),
  );
  calls().close(found.descriptor);
}

/** A link on the way has been put there since the path was resolved: whereto is not for us to say. */
function openPath(
  path: string,
): { readonly descriptor: number; readonly directory: boolean } | undefined {
  const asDirectory = open(path, O_PATH | O_CLOEXEC | O_DIRECTORY);
  if (asDirectory >= 0) return { descriptor: asDirectory, directory: true };
  const descriptor = open(path, O_PATH | O_CLOEXEC);
  if (descriptor >= 0) return { descriptor, directory: false };
  const errno = lastErrno();
  if (NOT_THERE.includes(errno)) return undefined;
  throw refusedBySystem(path, errno);
}

function open(path: string, flags: bigint): number {
  const how = BigUint64Array.of(flags, 0n, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  return Number(
    calls().openat2(
      SYS_OPENAT2,
      AT_FDCWD,
      cString(path),
      new Uint8Array(how.buffer),
      BigInt(how.byteLength),
    ),
  );
}
