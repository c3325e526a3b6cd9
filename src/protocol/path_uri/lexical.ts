import { PathUriError } from "./error.ts";
import {
  type OrdinaryPath,
  type PathConvention,
  type PathParts,
  resolveSegments,
  rootDepth,
  segmentsOf,
  withSegments,
} from "./parts.ts";
import { nativePathToParts } from "./native.ts";
import { decodePathText, encodePathText } from "./percent.ts";
import {
  isAbsoluteWindows,
  isDriveRelative,
  isRootRelative,
  WINDOWS_SEPARATOR,
} from "./windows_grammar.ts";

/** The last segment decoded, or as it is spelled if its bytes are not UTF-8. */
export function basenameOf(path: PathParts): string | undefined {
  const last = path.kind === "opaque" ? undefined : segmentsOf(path).at(-1);
  return last === undefined ? undefined : decodePathText(last) ?? last;
}

/** The path without its last segment, or undefined for a root. */
export function parentOf(path: PathParts): OrdinaryPath | undefined {
  if (path.kind === "opaque") return undefined;
  const segments = segmentsOf(path);
  if (segments.length <= rootDepth(path.convention)) return undefined;
  return withSegments(path, segments.slice(0, -1));
}

/** The path itself, its parent, and so on up to the root. */
export function* ancestorsOf(path: PathParts): Generator<PathParts, void, undefined> {
  for (let at: PathParts | undefined = path; at !== undefined; at = parentOf(at)) yield at;
}

/**
 * Resolves native path text of the base's convention against it.
 *
 * @throws {PathUriError} for text with a NUL or an unpaired surrogate, for text relative to the
 * current directory of a drive, and for any text but none against an opaque base
 */
export function joinText(base: PathParts, text: string): PathParts {
  if (text === "") return base;
  if (base.kind === "opaque") {
    throw new PathUriError("opaque", `'${base.text}' is opaque, so nothing can be below it`);
  }
  if (text.includes("\0")) throw new PathUriError("nul", "a path must not contain a NUL");
  if (isAbsolute(text, base.convention)) return nativePathToParts(text, base.convention);
  if (!text.isWellFormed()) {
    throw new PathUriError("encoding", "a path must not contain an unpaired surrogate");
  }
  return base.convention === "posix" ? joinPosix(base, text) : joinWindows(base, text);
}

function isAbsolute(text: string, convention: PathConvention): boolean {
  return convention === "posix" ? text.startsWith("/") : isAbsoluteWindows(text);
}

function joinPosix(base: OrdinaryPath, text: string): OrdinaryPath {
  const added = text.split("/").map(encodePathText);
  return withSegments(base, resolveSegments([...segmentsOf(base), ...added], 0));
}

function joinWindows(base: OrdinaryPath, text: string): OrdinaryPath {
  if (isDriveRelative(text)) {
    throw new PathUriError("not-absolute", `'${text}' depends on a drive's current directory`);
  }
  const depth = rootDepth("windows");
  const segments = segmentsOf(base);
  if (segments.length < depth) {
    throw new PathUriError("host", `'${base.text}' names no share on its server`);
  }
  const from = isRootRelative(text) ? segments.slice(0, depth) : segments;
  const added = text.split(WINDOWS_SEPARATOR).map(encodePathText);
  return withSegments(base, resolveSegments([...from, ...added], depth));
}

/** Whether a path is the base or lies below it, going by the spelling of their segments. */
export function isWithin(path: PathParts, base: PathParts): boolean {
  if (path.text === base.text) return true;
  if (path.kind === "opaque" || base.kind === "opaque") return false;
  if (path.convention !== base.convention || path.host !== base.host) return false;
  if (hidesSeparator(path) || hidesSeparator(base)) return false;
  const segments = segmentsOf(path);
  return segmentsOf(base).every((segment, at) => segments[at] === segment);
}

/** Whether the native path may have more segments than the URI shows. */
function hidesSeparator({ path, convention }: OrdinaryPath): boolean {
  return (convention === "posix" ? /%2f/i : /%2f|%5c/i).test(path);
}
