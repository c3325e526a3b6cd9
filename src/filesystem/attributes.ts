import { SystemError } from "../os/errno.ts";
import { decodeOsString, encodeOsString } from "../os/os_string.ts";
import { readProc } from "../os/procfs.ts";
import { invalidRequest } from "../protocol/errors.ts";
import { MAX_LISTED } from "../protocol/filesystem.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { decodeBase64 } from "../protocol/schema_parts.ts";
import { isNotFound } from "./io_error.ts";
import { hostPath, uriOf } from "./named.ts";
import type { Paths, Place } from "./paths.ts";
import { NEW_FILE_MODE } from "./temp_file.ts";

/** What a file is to have besides its content; what is undefined is left as it is. */
export interface NewAttributes {
  /** Those of chmod(2); ignored where the system has none. */
  readonly permissions?: number | undefined;
  /** In milliseconds since 1970. */
  readonly modifiedAtMs?: number | undefined;
}

/** Sets what a file or directory is to have. A link at the path is followed. */
export async function applyAttributes(
  path: string,
  { permissions, modifiedAtMs }: NewAttributes,
): Promise<void> {
  if (permissions !== undefined && Deno.build.os !== "windows") {
    await Deno.chmod(path, permissions);
  }
  if (modifiedAtMs !== undefined) await Deno.utime(path, new Date(), new Date(modifiedAtMs));
}

/** The permissions that a new file gets here; undefined where that cannot be told. */
export function usualPermissions(): number | undefined {
  const mask = /^Umask:\s*([0-7]+)$/m.exec(readProc("self/status"))?.[1];
  return mask === undefined ? undefined : NEW_FILE_MODE & ~Number.parseInt(mask, 8);
}

/** `fs/setAttributes`: permissions and time of a file or a directory. */
export async function setAttributes(
  { path, permissions, modifiedAtMs }: Params<"fs/setAttributes">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/setAttributes">> {
  const native = hostPath(path);
  using destination = paths.destination(native);
  const { file } = destination;
  if (file === undefined) throw new SystemError("ENOENT");
  const { isFile, isDirectory } = await Deno.stat(file);
  // What is set on a device or a socket is set for everybody.
  if (!isFile && !isDirectory) throw invalidRequest(`path \`${native}\` is no file or directory`);
  await applyAttributes(file, { permissions, modifiedAtMs });
  return {};
}

/** `fs/symlink`: a symbolic link where nothing is. */
export async function makeSymbolicLink(
  { path, targetBase64 }: Params<"fs/symlink">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/symlink">> {
  const target = decodeBase64(targetBase64);
  if (target === undefined || target.length === 0 || target.includes(0)) {
    throw invalidRequest("`targetBase64` is not what a link can say, in standard base64");
  }
  await paths.makeLink(decodeOsString(target), hostPath(path));
  return {};
}

/** `fs/stat`: what a path leads to, or what is at it. */
export async function stat(
  { path, followLinks }: Params<"fs/stat">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/stat">> {
  const native = hostPath(path);
  using place = followLinks ? paths.object(native, "look") : paths.entry(native, "look");
  const status = await place.stat();
  return { ...await attributesOf(place, status), identity: identityOf(status) };
}

/** Entries that are looked at together: in a sandbox each takes a descriptor meanwhile. */
const CONCURRENT_LOOKS = 32;

/** `fs/list`: what is in a directory, in the order of the names as URIs have them; links are not followed. */
export async function list(
  { path, after }: Params<"fs/list">,
  signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/list">> {
  using directory = paths.object(hostPath(path), "read");
  const found: { readonly segment: string; readonly entry: Deno.DirEntry }[] = [];
  for await (const entry of directory.entries()) {
    const segment = segmentOf(entry.name);
    if (after === undefined || segment > after) found.push({ segment, entry });
  }
  found.sort((a, b) => a.segment < b.segment ? -1 : 1);
  const page = found.slice(0, MAX_LISTED);
  const entries: ResultInput<"fs/list">["entries"] = [];
  for (let at = 0; at < page.length; at += CONCURRENT_LOOKS) {
    signal?.throwIfAborted();
    const some = page.slice(at, at + CONCURRENT_LOOKS);
    const listed = await Promise.all(some.map(({ entry }) => listedEntry(directory, entry)));
    listed.forEach((attributes, index) => {
      const name = some[index]?.segment;
      if (attributes !== undefined && name !== undefined) entries.push({ name, ...attributes });
    });
  }
  return { entries, more: found.length > page.length };
}

/** The name of something as a URI has it. */
function segmentOf(name: string): string {
  const uri = uriOf(`/${name}`).toString();
  return uri.slice(uri.lastIndexOf("/") + 1);
}

type Attributes = Omit<ResultInput<"fs/stat">, "identity">;

/** Undefined for what is gone by now. What cannot be looked at is listed as far as it is known. */
async function listedEntry(
  directory: Place,
  entry: Deno.DirEntry,
): Promise<Attributes | undefined> {
  try {
    using place = directory.child(entry.name);
    return await attributesOf(place, await place.stat());
  } catch (error) {
    if (isNotFound(error)) return undefined;
    return { kind: kindOf(entry), size: 0, modifiedAtMs: 0 };
  }
}

async function attributesOf(place: Place, status: Deno.FileInfo): Promise<Attributes> {
  const { size, mode, mtime, isSymlink } = status;
  return {
    kind: kindOf(status),
    size,
    permissions: mode === null ? undefined : mode & 0o7777,
    modifiedAtMs: mtime?.getTime() ?? 0,
    ...isSymlink ? { targetBase64: encodeOsString(await place.readLink()).toBase64() } : {},
  };
}

function kindOf(
  { isFile, isDirectory, isSymlink }: Pick<Deno.DirEntry, "isFile" | "isDirectory" | "isSymlink">,
): Attributes["kind"] {
  return isSymlink ? "symlink" : isFile ? "file" : isDirectory ? "directory" : "other";
}

/** Tells objects of one running kernel apart, so that two executors on it agree. */
function identityOf({ dev, ino }: Deno.FileInfo): string | undefined {
  if (Deno.build.os !== "linux" || ino === null) return undefined;
  const boot = readProc("sys/kernel/random/boot_id").trim();
  return boot === "" ? undefined : `${boot} ${dev} ${ino}`;
}
