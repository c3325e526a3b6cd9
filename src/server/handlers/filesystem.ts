import type {
  IntendedFiles,
  SandboxedFiles,
  SandboxedFilesOptions,
} from "../../filesystem/access/sandboxed_files.ts";
import { answerDirectly, learnDirectory } from "../../filesystem/fast_path.ts";
import { type FileMethod, fileMethods, performFileMethod } from "../../filesystem/operations.ts";
import { JsonText } from "../../protocol/envelope.ts";
import { internalError } from "../../protocol/errors.ts";
import { methods, type Params, type ResultInput } from "../../protocol/methods.ts";
import type { PathUri } from "../../protocol/path_uri.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import { enforceNoBareFiles, type SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { requiresSandbox } from "../../sandbox/policy/policy.ts";
import type { Sandbox } from "../../sandbox/sandbox.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { handler, type RequestHandler } from "../request_handler.ts";
import type * as z from "zod/mini";

/** Requests that move contents: they wait for their turn. */
const HEAVY: ReadonlySet<FileMethod> = new Set([
  "fs/readFile",
  "fs/writeFile",
  "fs/copy",
  "fs/walk",
  "fs/list",
]);

/** Requests that change what a path leads to: of one path they are done in the order in which they come. */
const CHANGING: ReadonlySet<FileMethod> = new Set([
  "fs/writeFile",
  "fs/createDirectory",
  "fs/remove",
  "fs/copy",
  "fs/setAttributes",
  "fs/symlink",
]);

/** Handlers of all fs/* requests. */
export function fileHandlers(
  sandbox: Sandbox,
  bounds?: SandboxBounds,
  reserved?: () => ReservedResources,
): Record<string, RequestHandler> {
  const { gitIndexes } = sandbox;
  const files = new FileAccess({ bounds: fileBounds(bounds), reserved, gitIndexes });
  return {
    ...Object.fromEntries(fileMethods.map((method) => [method, fileHandler(method, files)])),
    "fs/open": handler(methods["fs/open"], (params, context) => {
      if (!files.isSandboxed(params)) return context.files.open(params);
      return context.files.open(params, {
        open: async (path) => await (await files.within(params)).open(path),
        stage: async (path) => await (await files.within(params)).stage(path),
        resume: async (path, key) => await (await files.within(params)).resume(path, key),
      });
    }),
    "fs/writeBlock": handler(
      methods["fs/writeBlock"],
      (params, { files }) => files.writeBlock(params),
    ),
    "fs/readBlock": handler(
      methods["fs/readBlock"],
      // A read that waits when the connection ends would keep its file open.
      (params, { files, turns, signal }) =>
        files.readBlock(params, (read) => turns.run(read, signal)),
    ),
    "fs/close": handler(
      methods["fs/close"],
      (params, { files, changes }) =>
        files.close(params, (path, change) => changes.make(path, change)),
    ),
  };
}

type FileParams = typeof methods[FileMethod]["params"];
type FileResult = typeof methods[FileMethod]["result"];

function fileHandler(method: FileMethod, files: FileAccess): RequestHandler {
  const heavy = HEAVY.has(method);
  const changing = CHANGING.has(method);
  return handler<FileParams, FileResult>(methods[method], (params, { turns, changes, signal }) => {
    const changed = changing ? changedPath(params) : undefined;
    const waits = heavy && !turns.idle || changed !== undefined && !changes.isFree(changed);
    const direct = waits ? undefined : files.answerDirectly(method, params);
    if (direct !== undefined) return withoutEscaping(direct);
    const perform = () => files.perform(method, params, signal);
    // What waits for another change holds no turn, which that change may need.
    const inTurn = heavy ? () => turns.run(perform) : perform;
    const done = changed === undefined ? inTurn() : changes.make(changed, inTurn);
    return done.then(withoutEscaping);
  });
}

function changedPath(params: z.output<FileParams>): PathUri {
  return "destinationPath" in params ? params.destinationPath : params.path;
}

interface MaybeSandboxed {
  readonly sandbox: SandboxContext | undefined;
}

/** What clients' file requests may reach: everything, or what is granted to them. */
class FileAccess {
  /** What is demanded of sandboxes, whatever a client asks for. */
  readonly #bounds: SandboxBounds | undefined;
  readonly #options: SandboxedFilesOptions;
  #intended: IntendedFiles | undefined;

  constructor(options: SandboxedFilesOptions) {
    this.#bounds = options.bounds;
    this.#options = options;
  }

  /** Whether a request is to be done within a sandbox. */
  isSandboxed({ sandbox }: MaybeSandboxed): boolean {
    const noNetwork = { enforceManagedNetwork: false, managedNetwork: undefined };
    return requiresSandbox({ sandbox, ...noNetwork, bounds: this.#bounds });
  }

  /** Does a small request without a sandbox at once. Undefined: it has not been done. */
  answerDirectly<M extends FileMethod>(
    method: M,
    params: Params<M>,
  ): ResultInput<M> | undefined {
    return this.isSandboxed(params) ? undefined : answerDirectly(method, params);
  }

  /** Does what a request asks for, within the sandbox that it asks for. @throws {RpcError} */
  async perform<M extends FileMethod>(
    method: M,
    params: Params<M>,
    signal: AbortSignal,
  ): Promise<ResultInput<M>> {
    if (this.isSandboxed(params)) {
      return await (await this.within(params)).perform(method, params, signal);
    }
    const result = await performFileMethod(method, params, signal);
    learnDirectory(params);
    return result;
  }

  /** What was asked to be sandboxed is never done with the executor's own rights. */
  async within({ sandbox }: MaybeSandboxed): Promise<SandboxedFiles> {
    if (Deno.build.os !== "linux") {
      throw internalError("file requests inside a sandbox need Linux; nothing was done");
    }
    if (this.#intended === undefined) {
      const { FileWorker } = await import("../../filesystem/access/file_worker.ts");
      const { IntendedFiles } = await import("../../filesystem/access/sandboxed_files.ts");
      this.#intended ??= new IntendedFiles(new FileWorker(), this.#options);
    }
    return await this.#intended.within(sandbox);
  }
}

/** Base64 needs no escaping; looking for what does takes longer than reading the file. */
function withoutEscaping(result: ResultInput<FileMethod>): ResultInput<FileMethod> | JsonText {
  if (!("dataBase64" in result)) return result;
  return new JsonText(`{"dataBase64":"${result.dataBase64}"}`);
}

/** What is demanded of file requests, which use no network. */
function fileBounds(bounds: SandboxBounds | undefined): SandboxBounds | undefined {
  return bounds?.restrictedBy === undefined ? undefined : { ...bounds, network: "any" };
}

/**
 * The handler of `fs/watchMissing`, which takes no sandbox. What its watch sees is told to the
 * connection itself.
 */
export function missingWatchHandlers(bounds?: SandboxBounds): Record<string, RequestHandler> {
  return {
    "fs/watchMissing": handler(
      methods["fs/watchMissing"],
      async (params, { missing }) => {
        enforceNoBareFiles(bounds);
        return { watching: await missing.start(params) };
      },
    ),
  };
}

/** The handler of `environmentConfig/read`, which takes no sandbox. */
export function environmentConfigHandlers(
  variable: (name: string) => string | undefined,
  bounds?: SandboxBounds,
): Record<string, RequestHandler> {
  return {
    "environmentConfig/read": handler(methods["environmentConfig/read"], async (params) => {
      enforceNoBareFiles(bounds);
      const { readCodexConfig } = await import("../../codex_config/read.ts");
      return await readCodexConfig(params, variable);
    }),
  };
}
