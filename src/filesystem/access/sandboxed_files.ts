import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { waitForFileSystems } from "../../os/local_file_systems.ts";
import { hostConvention } from "../../protocol/path_uri.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import type { SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { hostDisk, RememberingDisk } from "../../sandbox/disk.ts";
import { bindPolicy } from "../../sandbox/policy/bind.ts";
import type { BoundFiles } from "../../sandbox/policy/bound_policy.ts";
import type { GitIndexCache } from "../../sandbox/policy/protected_paths.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { namedPaths } from "../../sandbox/policy/entries.ts";
import { learnDirectory } from "../fast_path.ts";
import { type FileOpener, plainOpener } from "../open_files.ts";
import { pathTo } from "../../os/open_at.ts";
import { type PerformFileMethod, performFileMethod } from "../operations.ts";
import { StagedFile } from "../staged_file.ts";
import { AccessPolicy } from "./access_policy.ts";
import type { FileWorker } from "./file_worker.ts";
import { answerDirectlyWithin } from "./direct_access.ts";
import { handleJobOf, type JobFiles, jobOf } from "./job.ts";

/** What a client may do with files within a sandbox. */
export interface SandboxedFiles extends FileOpener {
  readonly perform: PerformFileMethod;
}

/** How many intents are remembered. */
const MAX_REMEMBERED = 64;
/** None that is longer, in characters of JSON. */
const MAX_INTENT = 65_536;

/** What holds for all file requests. */
export interface SandboxedFilesOptions {
  /** What a sandbox has to be, whatever is asked for. */
  readonly bounds?: SandboxBounds | undefined;
  /** What no sandbox may have. */
  readonly reserved?: (() => ReservedResources) | undefined;
  /** What has been read of git's indexes. */
  readonly gitIndexes?: GitIndexCache | undefined;
}

/** What a client intended before. */
interface Remembered {
  readonly paths: readonly string[];
  /** What the intent was bound by. */
  readonly disk: RememberingDisk;
  readonly files: SandboxedFiles;
}

/**
 * What clients intend for file requests, to be done by a thread without capabilities, or at once
 * where that is possible; with the rights of this process where nothing restricts files.
 */
export class IntendedFiles {
  readonly #worker: FileWorker;
  readonly #options: SandboxedFilesOptions;
  /** In the order in which they were asked for last. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(worker: FileWorker, options: SandboxedFilesOptions = {}) {
    this.#worker = worker;
    this.#options = options;
  }

  /**
   * What a client may do within a sandbox. What was made of the same intent is used again as long as
   * the disk says the same to all that was asked to bind it, which is all that it depends on.
   *
   * @throws {RpcError} -32602 if the intent cannot be understood here or asks for more than is allowed
   */
  async within(sandbox: SandboxContext | undefined): Promise<SandboxedFiles> {
    const { bounds, reserved } = this.#options;
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
      reserved: reserved?.(),
    };
    const key = JSON.stringify([sandbox, facts, policy.reserved]);
    const known = this.#remembered.get(key);
    const paths = known?.paths ?? namedPaths(policy, facts);
    await waitForFileSystems(paths);
    if (known?.disk.wouldSayTheSame() === true) return this.#remember(key, known);
    const disk = new RememberingDisk(hostDisk);
    const bound = bindPolicy(policy, facts, disk, this.#options.gitIndexes);
    const files = this.#filesOf(bound.files, sandbox);
    if (key.length > MAX_INTENT || !disk.isRepeatable) return files;
    return this.#remember(key, { paths, disk, files });
  }

  #remember(key: string, remembered: Remembered): SandboxedFiles {
    this.#remembered.delete(key);
    this.#remembered.set(key, remembered);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#remembered.delete(oldest);
    }
    return remembered.files;
  }

  #filesOf(files: BoundFiles, sandbox: SandboxContext | undefined): SandboxedFiles {
    if (files.kind === "all") {
      return sandboxesCommands(sandbox)
        ? onWorker(this.#worker, JSON.stringify(EVERYTHING))
        : { perform: performFileMethod, ...plainOpener };
    }
    const deniedGlobs = files.deniedGlobs.map(({ pattern, base, names }) => ({
      pattern,
      base,
      names,
    }));
    const { grants, globMaxDepth } = files;
    const granted: JobFiles = { grants, deniedGlobs, globMaxDepth };
    const elsewhere = onWorker(this.#worker, JSON.stringify(granted));
    const policy = new AccessPolicy(files);
    return {
      ...elsewhere,
      perform: async (method, params, signal) => {
        const direct = answerDirectlyWithin(policy, method, params);
        if (direct !== undefined) return direct;
        const result = await elsewhere.perform(method, params, signal);
        learnDirectory(params);
        return result;
      },
    };
  }
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
