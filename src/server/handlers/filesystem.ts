import type { SandboxedFiles } from "../../filesystem/access/operations.ts";
import {
  answerDirectly,
  type DirectMethod,
  learnDirectory,
} from "../../filesystem/direct_requests.ts";
import { type FileMethod, fileOperations } from "../../filesystem/operations.ts";
import { JsonText } from "../../protocol/envelope.ts";
import { internalError } from "../../protocol/errors.ts";
import { methods, type Params, type ResultInput } from "../../protocol/methods.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import { enforceNoBareFiles, type SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { requiresSandbox } from "../../sandbox/policy/requires_sandbox.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/** Handlers of all fs/* requests. Those that move contents wait for their turn. */
export function fileHandlers(
  bounds?: SandboxBounds,
  reserved?: () => ReservedResources,
): Record<string, RequestHandler> {
  const demanded: Demands = { bounds: fileBounds(bounds), reserved };
  const perform = <M extends FileMethod>(method: M, params: Params<M>, signal: AbortSignal) =>
    performWithin(demanded, method, params, signal);
  const direct = <M extends DirectMethod>(method: M, params: Params<M>) =>
    isSandboxed(params, demanded) ? undefined : answerDirectly(method, params);
  return {
    "fs/readFile": handler(methods["fs/readFile"], (params, { turns, signal }) => {
      const answer = turns.idle ? direct("fs/readFile", params) : undefined;
      if (answer !== undefined) return fileText(answer);
      return turns.run(() => perform("fs/readFile", params, signal)).then(fileText);
    }),
    "fs/writeFile": handler(
      methods["fs/writeFile"],
      (params, { turns, signal }) =>
        (turns.idle ? direct("fs/writeFile", params) : undefined) ??
          turns.run(() => perform("fs/writeFile", params, signal)),
    ),
    "fs/copy": handler(
      methods["fs/copy"],
      (params, { turns, signal }) => turns.run(() => perform("fs/copy", params, signal)),
    ),
    "fs/walk": handler(
      methods["fs/walk"],
      (params, { turns, signal }) => turns.run(() => perform("fs/walk", params, signal)),
    ),
    "fs/createDirectory": handler(
      methods["fs/createDirectory"],
      (params, { signal }) => perform("fs/createDirectory", params, signal),
    ),
    "fs/getMetadata": handler(
      methods["fs/getMetadata"],
      (params, { signal }) =>
        direct("fs/getMetadata", params) ?? perform("fs/getMetadata", params, signal),
    ),
    "fs/canonicalize": handler(
      methods["fs/canonicalize"],
      (params, { signal }) => perform("fs/canonicalize", params, signal),
    ),
    "fs/readDirectory": handler(
      methods["fs/readDirectory"],
      (params, { signal }) =>
        direct("fs/readDirectory", params) ?? perform("fs/readDirectory", params, signal),
    ),
    "fs/remove": handler(
      methods["fs/remove"],
      (params, { signal }) => perform("fs/remove", params, signal),
    ),
    "fs/open": handler(methods["fs/open"], (params, { files }) => {
      if (!isSandboxed(params, demanded)) return files.open(params);
      const granted = enclosed(params, demanded);
      // Whoever opens hears of a failure.
      granted.catch(() => {});
      return files.open(params, {
        open: async (path) => await (await granted).open(path),
        stage: async (path) => await (await granted).stage(path),
      });
    }),
    "fs/writeBlock": handler(
      methods["fs/writeBlock"],
      (params, { files }) => files.writeBlock(params),
    ),
    "fs/readBlock": handler(
      methods["fs/readBlock"],
      (params, { files, turns }) => turns.run(() => files.readBlock(params)),
    ),
    "fs/close": handler(methods["fs/close"], (params, { files }) => files.close(params)),
  };
}

/** What is demanded of sandboxes, whatever a client asks for. */
interface Demands {
  readonly bounds: SandboxBounds | undefined;
  readonly reserved: (() => ReservedResources) | undefined;
}

/** Base64 needs no escaping; looking for what does takes longer than reading the file. */
function fileText({ dataBase64 }: ResultInput<"fs/readFile">): JsonText {
  return new JsonText(`{"dataBase64":"${dataBase64}"}`);
}

/** What is demanded of file requests, which use no network. */
function fileBounds(bounds: SandboxBounds | undefined): SandboxBounds | undefined {
  return bounds?.restrictedBy === undefined ? undefined : { ...bounds, network: "any" };
}

/** Does what a request asks for, within the sandbox that it asks for. */
async function performWithin<M extends FileMethod>(
  demands: Demands,
  method: M,
  params: Params<M>,
  signal: AbortSignal,
): Promise<ResultInput<M>> {
  if (isSandboxed(params, demands)) {
    return await (await enclosed(params, demands)).operations[method](params, signal);
  }
  const result = await fileOperations[method](params, signal);
  if ("path" in params) learnDirectory(params);
  return result;
}

interface MaybeSandboxed {
  readonly sandbox: SandboxContext | undefined;
}

function isSandboxed({ sandbox }: MaybeSandboxed, { bounds }: Demands): boolean {
  const noNetwork = { enforceManagedNetwork: false, managedNetwork: undefined };
  return requiresSandbox({ sandbox, ...noNetwork, bounds });
}

/** What was asked to be enclosed is never done with the executor's own rights. */
async function enclosed(
  { sandbox }: MaybeSandboxed,
  { bounds, reserved }: Demands,
): Promise<SandboxedFiles> {
  if (Deno.build.os !== "linux") {
    throw internalError("file requests inside a sandbox need Linux; nothing was done");
  }
  const { filesInSandbox } = await import("../../filesystem/access/operations.ts");
  return await filesInSandbox(sandbox, undefined, bounds, reserved?.());
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
