import baseText from "../../../sandbox-profiles/seatbelt_base.sbpl" with { type: "text" };
import bindingText from "../../../sandbox-profiles/seatbelt_local_binding.sbpl" with {
  type: "text",
};
import hostText from "../../../sandbox-profiles/seatbelt_network_host.sbpl" with { type: "text" };
import loopbackText from "../../../sandbox-profiles/seatbelt_network_loopback.sbpl" with {
  type: "text",
};
import preferencesText from "../../../sandbox-profiles/seatbelt_preferences.sbpl" with {
  type: "text",
};
import { internalError } from "../../protocol/errors.ts";
import {
  type BoundFiles,
  type BoundNetwork,
  type BoundPolicy,
  type Grant,
  takesPrecedence,
} from "../policy/bound_policy.ts";
import {
  canReadEverything,
  fileRules,
  grantHiddenByGlob,
  unrestrictedFileRules,
} from "./file_rules.ts";
import { basename, dirname, join } from "@std/path/posix";
import { compareDepth, isWithin } from "../../os/native_path.ts";

/** A profile in Seatbelt's language, and the arguments with the paths that it speaks of. */
export interface SeatbeltProfile {
  readonly text: string;
  /** `-D`, `NAME=VALUE`, and so on. */
  readonly definitions: readonly string[];
}

/**
 * Writes the profile that enforces a policy: the templates for what every command may do, then
 * files, then the network.
 *
 * @param unixSockets absolute paths; sockets there and below may be bound and connected to
 * @throws {RpcError} -32603 if Seatbelt cannot enforce the policy in full
 */
export function seatbeltProfile(
  { files, network }: BoundPolicy,
  unixSockets: readonly string[],
  realPath: RealPath,
): SeatbeltProfile {
  const parameters = new Parameters();
  const sockets = unixSockets.map((path) => canonicalPath(path, realPath));
  const sections = [
    baseText.trimEnd(),
    ...filesSection(files, parameters, realPath),
    ...networkRules(network, sockets, parameters),
  ];
  return { text: sections.join("\n\n") + "\n", definitions: parameters.definitions() };
}

function filesSection(files: BoundFiles, parameters: Parameters, realPath: RealPath): string[] {
  if (files.kind === "all") return [preferencesText.trimEnd(), ...unrestrictedFileRules()];
  const grants = canonicalGrants(files.grants, realPath);
  const globs = files.deniedGlobs.map((glob) => ({
    ...glob,
    base: canonicalPath(glob.base, realPath),
  }));
  const hidden = grantHiddenByGlob(files.grants, files.deniedGlobs);
  if (hidden !== undefined) {
    throw internalError(
      `Seatbelt cannot grant '${hidden.grant.path}' while what matches '${hidden.glob.pattern}' is ` +
        "denied; nothing was started",
    );
  }
  const preferences = canReadEverything(grants, globs) ? [preferencesText.trimEnd()] : [];
  return [...preferences, ...fileRules(grants, globs, parameters)];
}

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

/**
 * The rules about connections. Without any of them none can be made: the profile denies by default.
 *
 * @param unixSockets canonical paths; sockets there and below may be bound and connected to
 */
function networkRules(
  network: BoundNetwork,
  unixSockets: readonly string[],
  parameters: Parameters,
): string[] {
  const sockets = Array.from(new Set(unixSockets)).sort()
    .flatMap((path) => unixSocketRules(path, parameters));
  switch (network.kind) {
    case "none":
      return sockets;
    case "host":
      return [hostText.trimEnd(), ...sockets];
    case "loopback":
      return [
        loopbackText.trimEnd(),
        ...network.localBinding ? [bindingText.trimEnd()] : [],
        ...Array.from(new Set(network.ports), portRule),
        ...sockets,
      ];
  }
}

/** Seatbelt knows no other address than `localhost` and `*`. */
function portRule(port: number): string {
  return `(allow network-outbound (remote ip "localhost:${port}"))`;
}

function unixSocketRules(path: string, parameters: Parameters): string[] {
  const tree = `(subpath ${parameters.term("UNIX_SOCKET", path)})`;
  return [
    `(allow network-bind (local unix-socket ${tree}))`,
    `(allow network-outbound (remote unix-socket ${tree}))`,
  ];
}

/** The name that the system itself has for what is at a path; undefined if nothing is there. */
export type RealPath = (path: string) => string | undefined;

/** Where the volume is mounted that holds users' files; parts of it also appear at the root. */
const DATA_VOLUME = "/System/Volumes/Data";

/** This machine's names. */
export function hostRealPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Spells a path as Seatbelt sees it. A volume that takes `Secret` and `secret` for the same has one
 * of them on record; and what can be reached below the root as well as through the data volume
 * counts as below the root.
 *
 * What is missing is kept as it is written, below the directory that is there.
 */
function canonicalPath(path: string, realPath: RealPath): string {
  const real = realPath(path);
  if (real !== undefined) return belowRoot(real, realPath);
  return path === "/" ? path : join(canonicalPath(dirname(path), realPath), basename(path));
}

function belowRoot(path: string, realPath: RealPath): string {
  if (!isWithin(path, DATA_VOLUME)) return path;
  const short = path.slice(DATA_VOLUME.length);
  return short !== "" && realPath(short) !== undefined ? short : path;
}

/** Spells the paths of grants so; of grants that turn out to be about one path the strictest stays. */
function canonicalGrants(grants: readonly Grant[], realPath: RealPath): Grant[] {
  const merged = new Map<string, Grant>();
  for (const grant of grants) {
    const path = grant.kind === "link"
      ? join(canonicalPath(dirname(grant.path), realPath), basename(grant.path))
      : canonicalPath(grant.path, realPath);
    const other = merged.get(path);
    if (other === undefined || takesPrecedence(grant.access, other.access)) {
      merged.set(path, { ...grant, path });
    }
  }
  return [...merged.values()].sort((left, right) => compareDepth(left.path, right.path));
}
