import { basename, dirname } from "@std/path/posix";
import { closeDescriptor } from "../os/descriptor.ts";
import { isKnownLocal, isLocal } from "../os/local_file_systems.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { decodeBase64 } from "../protocol/schema_parts.ts";
import { Open, openAt } from "../os/open_at.ts";
import {
  type LocalEntry,
  localEntry,
  SMALL_FILE_BYTES,
  smallContent,
  smallListing,
  smallMetadata,
  storeSmall,
} from "./small_files.ts";
import { hostPath } from "./named.ts";
import type { FileMethod } from "./operations.ts";

/** Characters of base64 that a small file takes. */
const SMALL_TEXT_LENGTH = Math.ceil(SMALL_FILE_BYTES / 3) * 4;

type DirectAnswer<M extends FileMethod> = (
  params: Params<M>,
  entry: LocalEntry,
) => ResultInput<M> | undefined;

/** What of the requests can be done at once. */
const answers: { readonly [M in FileMethod]?: DirectAnswer<M> } = {
  "fs/getMetadata": (_, entry) => smallMetadata(entry),
  "fs/readFile": (_, entry) => {
    const dataBase64 = smallContent(entry);
    return dataBase64 === undefined ? undefined : { dataBase64 };
  },
  "fs/readDirectory": (_, entry) => smallListing(entry),
  "fs/writeFile": ({ dataBase64, permissions, modifiedAtMs }, entry) => {
    if (dataBase64.length > SMALL_TEXT_LENGTH) return undefined;
    const bytes = decodeBase64(dataBase64);
    const attributes = { permissions, modifiedAtMs };
    return bytes !== undefined && storeSmall(entry, bytes, attributes) ? {} : undefined;
  },
};

/**
 * Does a small request about a file on a local file system at once: to hand it to other threads and
 * back, as must be where a file system may not answer, takes several times as long as to do it.
 *
 * @returns undefined if it is not small or plain, or fails: nothing has been done then, and whoever
 * does it otherwise knows what to say
 */
export function answerDirectly<M extends FileMethod>(
  method: M,
  params: Params<M>,
): ResultInput<M> | undefined {
  const answer: DirectAnswer<M> | undefined = answers[method];
  const uri = pathOf(params);
  if (Deno.build.os !== "linux" || answer === undefined || uri === undefined) return undefined;
  try {
    const path = hostPath(uri);
    const parent = dirname(path);
    if (path === "/" || !isKnownLocal(parent)) return undefined;
    const directory = openAt(-1, parent, Open.PathOnly | Open.Directory);
    try {
      const entry = localEntry(directory, basename(path));
      if (entry === undefined) return undefined;
      try {
        return answer(params, entry);
      } finally {
        if (entry.object !== undefined) closeDescriptor(entry.object);
      }
    } finally {
      closeDescriptor(directory);
    }
  } catch {
    return undefined;
  }
}

/** Finds out whether requests about what is beside the path of this one may be answered directly. */
export function learnDirectory(params: Params<FileMethod>): void {
  const uri = pathOf(params);
  if (Deno.build.os === "linux" && uri !== undefined) void isLocal(dirname(hostPath(uri)));
}

/** Undefined for a request about several paths. */
function pathOf(params: Params<FileMethod>): PathUri | undefined {
  return "path" in params ? params.path : undefined;
}
