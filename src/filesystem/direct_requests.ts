import { basename, dirname } from "@std/path/posix";
import { closeDescriptor } from "../os/descriptor.ts";
import { isKnownLocal, isLocal } from "../os/until_answered.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
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

/** Requests that may be answered in the turn in which they come. */
export type DirectMethod = "fs/getMetadata" | "fs/readFile" | "fs/readDirectory" | "fs/writeFile";

/** Characters of base64 that a small file takes. */
const SMALL_TEXT_LENGTH = Math.ceil(SMALL_FILE_BYTES / 3) * 4;

type DirectAnswers = {
  readonly [M in DirectMethod]: (
    params: Params<M>,
    entry: LocalEntry,
  ) => ResultInput<M> | undefined;
};

const answers: DirectAnswers = {
  "fs/getMetadata": (_, entry) => smallMetadata(entry),
  "fs/readFile": (_, entry) => {
    const dataBase64 = smallContent(entry);
    return dataBase64 === undefined ? undefined : { dataBase64 };
  },
  "fs/readDirectory": (_, entry) => smallListing(entry),
  "fs/writeFile": ({ dataBase64 }, entry) => {
    if (dataBase64.length > SMALL_TEXT_LENGTH) return undefined;
    const bytes = decodeBase64(dataBase64);
    return bytes !== undefined && storeSmall(entry, bytes) ? {} : undefined;
  },
};

/**
 * Does a small request about a file on a local file system at once: to hand it to other threads and
 * back, as must be where a file system may not answer, takes several times as long as to do it.
 *
 * @returns undefined if it is not small or plain, or fails: nothing has been done then, and whoever
 * does it otherwise knows what to say
 */
export function answerDirectly<M extends DirectMethod>(
  method: M,
  params: Params<M>,
): ResultInput<M> | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const path = hostPath(params.path);
    const parent = dirname(path);
    if (path === "/" || !isKnownLocal(parent)) return undefined;
    const directory = openAt(-1, parent, Open.PathOnly | Open.Directory);
    try {
      const entry = localEntry(directory, basename(path));
      if (entry === undefined) return undefined;
      try {
        return answers[method](params, entry);
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

/** Finds out whether requests about what is beside a path may be answered directly. */
export function learnDirectory({ path }: Params<DirectMethod>): void {
  if (Deno.build.os === "linux") void isLocal(dirname(hostPath(path)));
}
