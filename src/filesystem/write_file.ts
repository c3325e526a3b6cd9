import { invalidRequest } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { isBase64 } from "./base64_pieces.ts";
import { hostPath } from "./named.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";
import { storeFile } from "./store_file.ts";

/**
 * `fs/writeFile`: makes a file hold these bytes and nothing else, complete or not at all; see
 * {@linkcode storeFile}.
 */
export async function writeFile(
  { path, dataBase64 }: Params<"fs/writeFile">,
  signal?: AbortSignal,
  paths: Paths = plainPaths,
): Promise<ResultInput<"fs/writeFile">> {
  try {
    using destination = paths.destination(hostPath(path));
    await storeFile(destination, { kind: "base64", text: dataBase64 }, signal);
    return {};
  } catch (error) {
    // It is decoded while it is written, and nothing has come of that; but whatever else is wrong,
    // this is told first.
    if (isBase64(dataBase64)) throw error;
    throw invalidRequest("`dataBase64` is not standard base64 with padding");
  }
}
