import { fileOperations } from "../../filesystem/operations.ts";
import { JsonText } from "../../protocol/envelope.ts";
import { internalError } from "../../protocol/errors.ts";
import { methods } from "../../protocol/methods.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import { requiresSandbox } from "../../sandbox/requires_sandbox.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/** Handlers of all fs/* requests. Those that move contents wait for their turn. */
export function fileHandlers(): Record<string, RequestHandler> {
  return {
    "fs/readFile": handler(methods["fs/readFile"], async (params, { turns, signal }) => {
      refuseSandbox(params);
      const { dataBase64 } = await turns.run(() => fileOperations["fs/readFile"](params, signal));
      // Base64 needs no escaping; looking for what does takes longer than reading the file.
      return new JsonText(`{"dataBase64":"${dataBase64}"}`);
    }),
    "fs/writeFile": handler(methods["fs/writeFile"], (params, { turns, signal }) => {
      refuseSandbox(params);
      return turns.run(() => fileOperations["fs/writeFile"](params, signal));
    }),
    "fs/copy": handler(methods["fs/copy"], (params, { turns, signal }) => {
      refuseSandbox(params);
      return turns.run(() => fileOperations["fs/copy"](params, signal));
    }),
    "fs/walk": handler(methods["fs/walk"], (params, { turns, signal }) => {
      refuseSandbox(params);
      return turns.run(() => fileOperations["fs/walk"](params, signal));
    }),
    "fs/createDirectory": handler(methods["fs/createDirectory"], (params) => {
      refuseSandbox(params);
      return fileOperations["fs/createDirectory"](params);
    }),
    "fs/getMetadata": handler(methods["fs/getMetadata"], (params) => {
      refuseSandbox(params);
      return fileOperations["fs/getMetadata"](params);
    }),
    "fs/canonicalize": handler(methods["fs/canonicalize"], (params) => {
      refuseSandbox(params);
      return fileOperations["fs/canonicalize"](params);
    }),
    "fs/readDirectory": handler(methods["fs/readDirectory"], (params) => {
      refuseSandbox(params);
      return fileOperations["fs/readDirectory"](params);
    }),
    "fs/remove": handler(methods["fs/remove"], (params, { signal }) => {
      refuseSandbox(params);
      return fileOperations["fs/remove"](params, signal);
    }),
    "fs/open": handler(methods["fs/open"], (params, { files }) => {
      refuseSandbox(params);
      return files.open(params);
    }),
    "fs/readBlock": handler(
      methods["fs/readBlock"],
      (params, { files, turns }) => turns.run(() => files.readBlock(params)),
    ),
    "fs/close": handler(methods["fs/close"], (params, { files }) => files.close(params)),
  };
}

/** What was asked to be enclosed is never done with the executor's own rights. */
function refuseSandbox({ sandbox }: { readonly sandbox: SandboxContext | undefined }): void {
  if (requiresSandbox({ sandbox, enforceManagedNetwork: false, managedNetwork: undefined })) {
    throw internalError("this executor cannot do file requests inside a sandbox; nothing was done");
  }
}
