import baseText from "../../../sandbox-profiles/seatbelt_base.sbpl" with { type: "text" };
import preferencesText from "../../../sandbox-profiles/seatbelt_preferences.sbpl" with {
  type: "text",
};
import { internalError } from "../../protocol/errors.ts";
import type { BoundFiles, BoundIntent } from "../grants.ts";
import { canonicalGrants, canonicalPath, type RealPath } from "./canonical_path.ts";
import {
  canReadEverything,
  fileRules,
  grantHiddenByGlob,
  unrestrictedFileRules,
} from "./file_rules.ts";
import { networkRules } from "./network_rules.ts";
import { Parameters } from "./parameters.ts";

/** A profile in Seatbelt's language, and the arguments with the paths that it speaks of. */
export interface SeatbeltProfile {
  readonly text: string;
  /** `-D`, `NAME=VALUE`, and so on. */
  readonly definitions: readonly string[];
}

/**
 * Writes the profile that enforces an intent: the templates for what every command may do, then
 * files, then the network.
 *
 * @param unixSockets absolute paths; sockets there and below may be bound and connected to
 * @throws {RpcError} -32603 if Seatbelt cannot enforce the intent in full
 */
export function seatbeltProfile(
  { files, network }: BoundIntent,
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
