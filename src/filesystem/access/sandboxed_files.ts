import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { waitForFileSystems } from "../../os/local_file_systems.ts";
import { hostConvention } from "../../protocol/path_uri.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import type { SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { hostDisk } from "../../sandbox/disk.ts";
import { bindPolicy } from "../../sandbox/policy/bind.ts";
import type { GitIndexCache } from "../../sandbox/policy/repository_paths.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { namedPaths } from "../../sandbox/policy/named_paths.ts";
import { learnDirectory } from "../fast_path.ts";
import { type FileOpener, plainOpener } from "../file_handles.ts";
import { pathTo } from "../../os/open_at.ts";
import { type PerformFileMethod, performFileMethod } from "../operations.ts";
import { StagedFile } from "../staged_file.ts";
import type { FileWorker } from "./file_worker.ts";
import { answerDirectlyWithin } from "./direct_access.ts";
import { handleJobOf, type JobFiles, jobOf } from "./job.ts";

/** What a client may do with files within a sandbox. */
export interface SandboxedFiles extends FileOpener {
  readonly perform: PerformFileMethod;
}

/**
 * What a client intends for file requests, to be done by a thread without capabilities, or at once
 * where that is possible; with the rights of this process where nothing restricts files.
 *
 * @param bounds what the sandbox has to be, whatever is asked for
 * @param reserved what no sandbox may have
 * @param gitIndexes what has been read of git's indexes
 * @throws {RpcError} -32602 if the intent cannot be understood here or asks for more than is allowed
 */
export async function filesInSandbox(
  sandbox: SandboxContext | undefined,
  worker: FileWorker,
  bounds?: SandboxBounds,
  reserved?: ReservedResources,
  gitIndexes?: GitIndexCache,
): Promise<SandboxedFiles> {
  const facts = {
    convention: hostConvention(),
    home: Deno.env.get("HOME"),
    temporaryDirectory: Deno.env.get("TMPDIR"),
  };
  const policy = {
    sandbox,
    enforceManagedNetwork: false,
    managedNetwork: undefined,
    bounds,
    reserved,
  };
  await waitForFileSystems(namedPaths(policy, facts));
  const { files } = bindPolicy(policy, facts, hostDisk, gitIndexes);
  if (files.kind === "all") {
    return sandboxesCommands(sandbox)
      ? onWorker(worker, JSON.stringify(EVERYTHING))
      : { perform: performFileMethod, ...plainOpener };
  }
  const deniedGlobs = files.deniedGlobs.map(({ pattern, base, names }) => ({
    pattern,
    base,
    names,
  }));
  const { grants, globMaxDepth } = files;
  const granted: JobFiles = { grants, deniedGlobs, globMaxDepth };
  const elsewhere = onWorker(worker, JSON.stringify(granted));
  return {
    ...elsewhere,
    perform: async (method, params, signal) => {
      const direct = answerDirectlyWithin(files, method, params);
      if (direct !== undefined) return direct;
      const result = await elsewhere.perform(method, params, signal);
      learnDirectory(params);
      return result;
    },
  };
}

const EVERYTHING: JobFiles = {
  grants: [{ path: "/", access: "write", kind: "directory", links: [] }],
  deniedGlobs: [],
  globMaxDepth: undefined,
};

/**
 * Whether a command would be sandboxed all the same, for want of a network: it would then have
 * devices and processes of its own, and could set nothing of the kernel's.
 */
function sandboxesCommands(sandbox: SandboxContext | undefined): boolean {
  const permissions = sandbox?.permissions;
  return permissions?.type === "managed" && permissions.network === "restricted";
}

function onWorker(worker: FileWorker, files: string): SandboxedFiles {
  return {
    perform: (method, params, signal) => worker.run(jobOf(method, params), files, signal),
    open: async (path) => {
      const descriptor = await worker.run<Descriptor>(handleJobOf("fs/open", { path }), files);
      try {
        // Open already, so that this needs no right that the worker did not have.
        return await open(pathTo(descriptor), constants.O_RDONLY | constants.O_NONBLOCK);
      } finally {
        closeDescriptor(descriptor);
      }
    },
    stage: async (path) =>
      await StagedFile.create(
        await worker.run<Descriptor | undefined>(handleJobOf("fs/stage", { path }), files),
        {
          store: (content, attributes) =>
            worker.run(handleJobOf("fs/store", { path, content, attributes }), files),
        },
      ),
    resume: async (path, key) =>
      await StagedFile.create(
        await worker.run<Descriptor | undefined>(handleJobOf("fs/resume", { path, key }), files),
        {
          store: (content, attributes) =>
            worker.run(handleJobOf("fs/store", { path, content, attributes, key }), files),
          discard: () => worker.run(handleJobOf("fs/discard", { path, key }), files),
        },
      ),
  };
}
