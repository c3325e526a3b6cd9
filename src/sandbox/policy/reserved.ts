import { invalidParams } from "../../protocol/errors.ts";
import type { Disk } from "../disk.ts";
import { accessTo, type BoundFiles, type BoundNetwork, type Grant } from "./bound_policy.ts";
import { compareDepth } from "../../os/native_path.ts";
import { resolvePath } from "./resolve_path.ts";

/** What an executor has for itself: whoever has it could do all that the executor can. */
export interface ReservedResources {
  /** The ports that it listens on. */
  readonly ports: readonly number[];
  /** Files of tokens and keys that let somebody in; absolute. */
  readonly secretFiles: readonly string[];
  /** The unix sockets that it listens on; absolute. */
  readonly sockets: readonly string[];
}

/** Refuses a network that has a port of the executor's own. @throws {RpcError} -32602 */
export function refuseReservedPorts(network: BoundNetwork, { ports }: ReservedResources): void {
  if (network.kind !== "loopback") return;
  const port = network.ports.find((port) => ports.includes(port));
  if (port === undefined) return;
  throw invalidParams(
    `managedNetwork.loopbackPorts: ${port} is the port that this executor listens on`,
  );
}

/** Takes the executor's own files out of what is granted, also where an entry names one of them. */
export function withholdReserved(
  files: BoundFiles,
  { secretFiles, sockets }: ReservedResources,
  disk: Disk,
): BoundFiles {
  if (files.kind === "all") return files;
  const paths = [
    ...secretFiles.map((path) => ({ path, withheld: "secret" as const })),
    ...sockets.map((path) => ({ path, withheld: "socket" as const })),
  ];
  const withheld = paths.map(({ path, withheld }): Grant => {
    // How one gets there does not matter: the executor has read it, or listens there, already.
    return { ...resolvePath(path, disk), access: "deny", links: [], withheld };
  }).filter(({ path, kind }) =>
    (kind === "file" || kind === "other") && accessTo(files, path) !== "deny"
  );
  const taken = new Set(withheld.map(({ path }) => path));
  const grants = [...files.grants.filter(({ path }) => !taken.has(path)), ...withheld];
  return {
    ...files,
    grants: grants.toSorted((left, right) => compareDepth(left.path, right.path)),
  };
}
