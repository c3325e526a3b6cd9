import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { untilAnswered } from "../../os/until_answered.ts";
import { hostConvention } from "../../protocol/path_uri.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import type { SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { hostDisk } from "../../sandbox/disk.ts";
import { bindIntent } from "../../sandbox/policy/bind.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { namedPaths } from "../../sandbox/policy/named_paths.ts";
import { type FileAccess, plainAccess } from "../file_handles.ts";
import { pathTo } from "../../os/open_at.ts";
import { type FileOperations, fileOperations } from "../operations.ts";
import { StagedFile } from "../staged_file.ts";
import { FileWorker } from "./file_worker.ts";
import type { JobFiles } from "./job.ts";

/** Operations on files within a sandbox. */
export interface SandboxedFiles extends FileAccess {
  readonly operations: FileOperations;
}

let shared: FileWorker | undefined;

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
  worker: FileWorker = shared ??= new FileWorker(),
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
  await untilAnswered(namedPaths(intent, facts));
  const { files } = bindIntent(intent, facts, hostDisk);
  if (files.kind === "all") {
    return enclosesCommands(sandbox)
      ? onWorker(worker, JSON.stringify(EVERYTHING))
      : { operations: fileOperations, ...plainAccess };
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
  const operations: FileOperations = {
    "fs/readFile": ({ path }, signal) =>
      worker.run({ method: "fs/readFile", path: `${path}` }, files, signal),
    "fs/writeFile": ({ path, dataBase64 }, signal) =>
      worker.run({ method: "fs/writeFile", path: `${path}`, dataBase64 }, files, signal),
    "fs/createDirectory": ({ path, recursive }, signal) =>
      worker.run({ method: "fs/createDirectory", path: `${path}`, recursive }, files, signal),
    "fs/getMetadata": ({ path }, signal) =>
      worker.run({ method: "fs/getMetadata", path: `${path}` }, files, signal),
    "fs/canonicalize": ({ path }, signal) =>
      worker.run({ method: "fs/canonicalize", path: `${path}` }, files, signal),
    "fs/readDirectory": ({ path }, signal) =>
      worker.run({ method: "fs/readDirectory", path: `${path}` }, files, signal),
    "fs/walk": ({ path, options }, signal) =>
      worker.run({ method: "fs/walk", path: `${path}`, options }, files, signal),
    "fs/remove": ({ path, recursive, force }, signal) =>
      worker.run({ method: "fs/remove", path: `${path}`, recursive, force }, files, signal),
    "fs/copy": ({ sourcePath, destinationPath, recursive }, signal) => {
      const paths = { sourcePath: `${sourcePath}`, destinationPath: `${destinationPath}` };
      return worker.run({ method: "fs/copy", ...paths, recursive }, files, signal);
    },
  };
  return {
    operations,
    open: async (path) => {
      const job = { method: "fs/open", path: `${path}` } as const;
      const descriptor = await worker.run<Descriptor>(job, files);
      try {
        // Open already, so that this needs no right that the worker did not have.
        return await open(pathTo(descriptor), constants.O_RDONLY | constants.O_NONBLOCK);
      } finally {
        closeDescriptor(descriptor);
      }
    },
    stage: async (path) => {
      const job = { method: "fs/stage", path: `${path}` } as const;
      return await StagedFile.create(
        await worker.run<Descriptor | undefined>(job, files),
        (content) => worker.run({ method: "fs/store", path: `${path}`, content }, files),
      );
    },
  };
}
