import { invalidRequest } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { decodeBase64 } from "../protocol/schema_parts.ts";
import { storeFile } from "./store_file.ts";

/**
 * `fs/writeFile`: makes a file hold these bytes and nothing else, complete or not at all; see
 * {@linkcode storeFile}.
 */
export async function writeFile(
  { path, dataBase64 }: Params<"fs/writeFile">,
  signal?: AbortSignal,
): Promise<ResultInput<"fs/writeFile">> {
  const bytes = decodeBase64(dataBase64);
  if (bytes === undefined) {
    throw invalidRequest("`dataBase64` is not standard base64 with padding");
  }
  await storeFile(path.toNativePath(), { kind: "bytes", bytes }, signal);
  return {};
}
