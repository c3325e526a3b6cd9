import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { waitForFileSystems } from "../../os/local_file_systems.ts";
import type { Params } from "../../protocol/methods.ts";
import { hostConvention } from "../../protocol/path_uri.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import type { SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { hostDisk } from "../../sandbox/disk.ts";
import { bindIntent } from "../../sandbox/policy/bind.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { namedPaths } from "../../sandbox/policy/named_paths.ts";
import { openPlainly } from "../file_handles.ts";
import { pathTo } from "../../os/open_at.ts";
import { type PerformFileMethod, performFileMethod } from "../operations.ts";
import type { FileWorker } from "./file_worker.ts";
import { type JobFiles, jobOf } from "./job.ts";

/** What a client may do with files within a sandbox. */
export interface SandboxedFiles {
  readonly perform: PerformFileMethod;
  /** Opens a regular file for reading. */
  open(params: Params<"fs/open">): Promise<FileHandle>;
}

/**
 * What a client intends for file requests, to be done by a thread without capabilities; with the
 * rights of this process where nothing restricts files.
 *
 * @param bounds what the sandbox has to be, whatever is asked for
 * @param reserved what no sandbox may have
 * @throws {RpcError} -32602 if the intent cannot be understood here or asks for more than is allowed
 */
export async function filesInSandbox(
  sandbox: SandboxContext | undefined,
  worker: FileWorker,
  bounds?: SandboxBounds,
  reserved?: ReservedResources,
): Promise<SandboxedFiles> {
  const facts = {
    convention: hostConvention(),
    home: Deno.env.get("HOME"),
    temporaryDirectory: Deno.env.get("TMPDIR"),
  };
  const intent = {
    sandbox,
    enforceManagedNetwork: false,
    managedNetwork: undefined,
    bounds,
    reserved,
  };
  await waitForFileSystems(namedPaths(intent, facts));
  const { files } = bindIntent(intent, facts, hostDisk);
  if (files.kind === "all") {
    return enclosesCommands(sandbox)
      ? onWorker(worker, JSON.stringify(EVERYTHING))
      : { perform: performFileMethod, open: ({ path }) => openPlainly(path) };
  }
  const deniedGlobs = files.deniedGlobs.map(({ pattern, base, names }) => ({
    pattern,
    base,
    names,
  }));
  const { grants, globMaxDepth } = files;
  const granted: JobFiles = { grants, deniedGlobs, globMaxDepth };
  return onWorker(worker, JSON.stringify(granted));
}

const EVERYTHING: JobFiles = {
  grants: [{ path: "/", access: "write", kind: "directory", links: [] }],
  deniedGlobs: [],
  globMaxDepth: undefined,
};

/**
 * Whether a command would be enclosed all the same, for want of a network: it would then have
 * devices and processes of its own, and could set nothing of the kernel's.
 */
function enclosesCommands(sandbox: SandboxContext | undefined): boolean {
  const permissions = sandbox?.permissions;
  return permissions?.type === "managed" && permissions.network === "restricted" &&
    permissions.file_system.type === "restricted";
}

function onWorker(worker: FileWorker, files: string): SandboxedFiles {
  return {
    perform: (method, params, signal) => worker.run(jobOf(method, params), files, signal),
    open: async (params) => {
      const descriptor = await worker.run<Descriptor>(jobOf("fs/open", params), files);
      try {
        // Open already, so that this needs no right that the worker did not have.
        return await open(pathTo(descriptor), constants.O_RDONLY | constants.O_NONBLOCK);
      } finally {
        closeDescriptor(descriptor);
      }
    },
  };
}
