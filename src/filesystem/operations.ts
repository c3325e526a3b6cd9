import type { Method, Params, ResultInput } from "../protocol/methods.ts";
import { canonicalize } from "./canonicalize.ts";
import { copy } from "./copy.ts";
import { createDirectory } from "./create_directory.ts";
import { getMetadata } from "./get_metadata.ts";
import { systemErrorCode, toRpcError } from "./io_error.ts";
import { readDirectory } from "./read_directory.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";
import { readFile } from "./read_file.ts";
import { remove } from "./remove.ts";
import { walk } from "./walk.ts";
import { writeFile } from "./write_file.ts";

/**
 * Does what a request asks for and gives its result. Aborted, because nobody waits for that any
 * more, it ends where that leaves no file half written.
 */
export type Operation<M extends Method> = (
  params: Params<M>,
  signal?: AbortSignal,
) => Promise<ResultInput<M>>;

/** The requests that are about paths alone. */
export type FileMethod =
  | "fs/readFile"
  | "fs/writeFile"
  | "fs/createDirectory"
  | "fs/getMetadata"
  | "fs/canonicalize"
  | "fs/readDirectory"
  | "fs/walk"
  | "fs/remove"
  | "fs/copy";

/** How often a request is tried for which there was no descriptor. */
const MAX_ATTEMPTS = 5;

/** What is done for each of them. */
export type FileOperations = { readonly [M in FileMethod]: Operation<M> };

/** An operation on files that are reached as somebody says. */
type OperationOn<M extends Method> = (
  params: Params<M>,
  signal: AbortSignal | undefined,
  paths: Paths,
) => Promise<ResultInput<M>>;

/**
 * Does the requests that are about paths alone. They throw RpcError: -32600 for what the path does not
 * allow, -32602 for one that is not native to this host, -32004 and -32603.
 *
 * Those about handles are methods of `FileHandles`.
 *
 * @param paths says where the paths lead and what may be done there, whatever the requests' own
 * `sandbox` says
 */
export function operationsOn(paths: Paths): FileOperations {
  const answering = <M extends Method>(operation: OperationOn<M>): Operation<M> => {
    return async (params, signal) => {
      for (let attempt = 1;; attempt++) {
        try {
          return await operation(params, signal, paths);
        } catch (error) {
          // The limit is low while a command is started, and done with when this is seen here.
          const lacksDescriptors = systemErrorCode(error) === "EMFILE";
          if (!lacksDescriptors || attempt === MAX_ATTEMPTS) throw toRpcError(error);
        }
      }
    };
  };
  return {
    "fs/readFile": answering<"fs/readFile">(readFile),
    "fs/writeFile": answering<"fs/writeFile">(writeFile),
    "fs/createDirectory": answering<"fs/createDirectory">(createDirectory),
    "fs/getMetadata": answering<"fs/getMetadata">(getMetadata),
    "fs/canonicalize": answering<"fs/canonicalize">(canonicalize),
    "fs/readDirectory": answering<"fs/readDirectory">(readDirectory),
    "fs/walk": answering<"fs/walk">(walk),
    "fs/remove": answering<"fs/remove">(remove),
    "fs/copy": answering<"fs/copy">(copy),
  };
}

/** The same, done with all rights of this process. */
export const fileOperations: FileOperations = operationsOn(plainPaths);
