import type { Method, Params, ResultInput } from "../protocol/methods.ts";
import { canonicalize } from "./canonicalize.ts";
import { copy } from "./copy.ts";
import { createDirectory } from "./create_directory.ts";
import { getMetadata } from "./get_metadata.ts";
import { toRpcError } from "./io_error.ts";
import { readDirectory } from "./read_directory.ts";
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

/**
 * The requests that are about paths alone, done with all rights of this process, whatever their
 * `sandbox` says. They throw RpcError: -32600 for what the path does not allow, -32602
 * for one that is not native to this host, -32004 and -32603.
 *
 * Those about handles are methods of `FileHandles`.
 */
export const fileOperations = {
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

function answering<M extends Method>(operation: Operation<M>): Operation<M> {
  return async (params, signal) => {
    try {
      return await operation(params, signal);
    } catch (error) {
      throw toRpcError(error);
    }
  };
}
