import { PathUriError } from "./error.ts";
import { opaqueParts } from "./opaque.ts";
import {
  driveParts,
  type OrdinaryPath,
  type PathParts,
  resolveSegments,
  rootDepth,
  segmentsOf,
  uncParts,
} from "./parts.ts";
import { decodePathText, encodePathText } from "./percent.ts";
import {
  encodeUtf16,
  isDoubleRooted,
  isInNamespace,
  isOnDrive,
  WINDOWS_SEPARATOR,
} from "./windows_grammar.ts";

/**
 * The URI of an absolute Windows path. `.`, `..` and empty segments are resolved as written,
 * except in what can only be held whole.
 *
 * @throws {PathUriError} `not-absolute`
 */
export function windowsPathToParts(path: string): PathParts {
  if (isInNamespace(path)) return opaqueWindowsPath(path);
  if (isOnDrive(path)) return drivePathToParts(path);
  if (isDoubleRooted(path)) return uncPathToParts(path);
  throw new PathUriError("not-absolute", "expected an absolute Windows path");
}

function drivePathToParts(path: string): PathParts {
  if (!isSpellable(path)) return opaqueWindowsPath(path);
  const segments = resolve(path.split(WINDOWS_SEPARATOR));
  // `C:` alone would be the current directory of that drive.
  return driveParts(segments.length === 1 ? [...segments, ""] : segments);
}

function uncPathToParts(path: string): PathParts {
  const [server = "", share = "", ...rest] = path.slice(2).split(WINDOWS_SEPARATOR);
  if (server === "" || resolveSegments([share], 0).length === 0) {
    throw new PathUriError("not-absolute", "expected a Windows path with a server and a share");
  }
  const host = hostOfServer(server);
  if (host === undefined || !isSpellable(path)) return opaqueWindowsPath(path);
  return uncParts(host, resolve([share, ...rest]));
}

/** The encoded segments, resolved below the first. */
function resolve(segments: readonly string[]): string[] {
  return resolveSegments(segments, rootDepth("windows")).map(encodePathText);
}

function isSpellable(path: string): boolean {
  return path.isWellFormed() && !path.includes("\0");
}

/** The server as a URL's host, if it is one and would be read back as the same name. */
function hostOfServer(server: string): string | undefined {
  const host = server.toLowerCase();
  const isAscii = /^[!-~]+$/.test(server);
  return isAscii && URL.parse(`file://${host}/`)?.host === host ? host : undefined;
}

function opaqueWindowsPath(path: string): PathParts {
  // Two plain slashes would be taken for the start of a POSIX path.
  const marked = isDoubleRooted(path) ? `\\\\${path.slice(2)}` : path;
  return opaqueParts(encodeUtf16(marked), "windows");
}

/**
 * The Windows path that an ordinary URI stands for. An encoded separator below the root separates
 * like a plain one, and what it separates is resolved like the rest.
 *
 * @throws {PathUriError} `encoding` for bytes that are not UTF-8; `host` for a server without a
 * share
 */
export function windowsPathText(path: OrdinaryPath): string {
  const [first, ...rest] = segmentsOf(path).map((segment) => decodeSegment(segment, path.text));
  const root = path.host === "" ? `${first}\\` : `\\\\${path.host}\\${shareOf(first, path.text)}`;
  const below = resolveSegments(rest.flatMap((segment) => segment.split(WINDOWS_SEPARATOR)), 0);
  if (below.length === 0) return root;
  return `${root}${path.host === "" ? "" : "\\"}${below.join("\\")}`;
}

function decodeSegment(segment: string, uri: string): string {
  const text = decodePathText(segment);
  if (text === undefined) {
    throw new PathUriError("encoding", `'${uri}' has bytes that no Windows path can hold`);
  }
  return text;
}

function shareOf(segment: string | undefined, uri: string): string {
  if (segment === undefined || WINDOWS_SEPARATOR.test(segment)) {
    throw new PathUriError("host", `'${uri}' names no share on its server`);
  }
  return segment;
}
