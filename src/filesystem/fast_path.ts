import { basename, dirname } from "@std/path/posix";
import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
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

/** Does a request with what it is about. Undefined: it has not been done. */
export type DirectAnswer<M extends FileMethod> = (
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
  const answer = directAnswer(method);
  if (answer === undefined) return undefined;
  try {
    const path = localPath(params);
    if (path === undefined) return undefined;
    const directory = openAt(-1, dirname(path), Open.PathOnly | Open.Directory);
    return withEntry(directory, basename(path), (entry) => answer(params, entry));
  } catch {
    return undefined;
  }
}

/**
 * Does something with what has a name in a directory, if that is there or missing, and neither a link
 * nor of another file system.
 *
 * @param directory closed afterwards
 */
export function withEntry<R>(
  directory: Descriptor,
  name: string,
  use: (entry: LocalEntry) => R | undefined,
): R | undefined {
  try {
    const entry = localEntry(directory, name);
    if (entry === undefined) return undefined;
    try {
      return use(entry);
    } finally {
      if (entry.object !== undefined) closeDescriptor(entry.object);
    }
  } finally {
    closeDescriptor(directory);
  }
}

/** How a request is done directly, if it can be. */
export function directAnswer<M extends FileMethod>(method: M): DirectAnswer<M> | undefined {
  return answers[method];
}

/**
 * The path that a request is about, if it is known to be in a directory on a file system that waits
 * for no one outside of the kernel.
 *
 * @throws {PathUriError} if it is not native to this host
 */
export function localPath(params: Params<FileMethod>): string | undefined {
  const uri = pathOf(params);
  if (Deno.build.os !== "linux" || uri === undefined) return undefined;
  const path = hostPath(uri);
  return path !== "/" && isKnownLocal(dirname(path)) ? path : undefined;
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
