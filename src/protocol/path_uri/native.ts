import { PathUriError } from "./error.ts";
import {
  CONVENTION_NAMES,
  driveParts,
  type OpaquePath,
  type OrdinaryPath,
  type PathConvention,
  type PathParts,
  posixParts,
  resolveSegments,
  rootDepth,
  segmentsOf,
  uncParts,
} from "./parts.ts";
import { opaqueBytes, opaqueParts } from "./opaque.ts";
import {
  decodePathBytes,
  decodePathText,
  decodeUtf8,
  encodePathBytes,
  encodePathText,
  hasPlainPath,
} from "./percent.ts";
import {
  decodeUtf16,
  encodeUtf16,
  isDoubleRooted,
  isInNamespace,
  isOnDrive,
  WINDOWS_SEPARATOR,
} from "./windows_grammar.ts";

/**
 * The URI of an absolute native path, given as text or as the system's own bytes (UTF-16LE on
 * Windows).
 *
 * @throws {PathUriError} `not-absolute` or `encoding`
 */
export function nativePathToParts(
  path: string | Uint8Array,
  convention: PathConvention,
): PathParts {
  if (convention === "posix") return posixPathToParts(path);
  return windowsPathToParts(typeof path === "string" ? path : textOfUtf16(path));
}

/**
 * The native path as the system's own bytes.
 *
 * @throws {PathUriError} `foreign`, or what makes this URI no path of its convention
 */
export function nativePathBytes(path: PathParts, host: PathConvention): Uint8Array {
  refuseForeign(path, host);
  if (path.kind === "opaque") return unpack(path);
  return host === "posix" ? posixPathBytes(path) : encodeUtf16(windowsPathText(path));
}

/**
 * The native path as text.
 *
 * @throws {PathUriError} `foreign`, `encoding` for a POSIX path that is not UTF-8, or what makes
 * this URI no path of its convention
 */
export function nativePathText(path: PathParts, host: PathConvention): string {
  refuseForeign(path, host);
  if (path.kind === "opaque") return textOfBytes(unpack(path), path);
  if (host === "windows") return windowsPathText(path);
  return isNativeAsSpelled(path.path) ? path.path : textOfBytes(posixPathBytes(path), path);
}

function refuseForeign(path: PathParts, host: PathConvention): void {
  if (path.convention === host) return;
  const [theirs, ours] = [CONVENTION_NAMES[path.convention], CONVENTION_NAMES[host]];
  throw new PathUriError(
    "foreign",
    `'${path.text}' is a ${theirs} path, and paths of this host are ${ours} paths`,
  );
}

/** The bytes an opaque URI holds, if it is the URI of the path they are. */
function unpack(path: OpaquePath): Uint8Array {
  const bytes = opaqueBytes(path);
  // Otherwise the same path would have a second URI, which no lexical comparison sees through.
  if (nativePathToParts(bytes, path.convention).text !== path.text) {
    throw new PathUriError("opaque", `'${path.text}' holds a path that has an ordinary URI`);
  }
  return bytes;
}

function isNativeAsSpelled(path: string): boolean {
  return !path.includes("%") && !path.includes("//") && (path === "/" || !path.endsWith("/"));
}

function textOfBytes(bytes: Uint8Array, path: PathParts): string {
  const text = path.convention === "posix" ? decodeUtf8(bytes) : decodeUtf16(bytes);
  if (text === undefined) {
    throw new PathUriError("encoding", `'${path.text}' is a path whose bytes are not UTF-8`);
  }
  return text;
}

function textOfUtf16(bytes: Uint8Array): string {
  const text = decodeUtf16(bytes);
  if (text === undefined) {
    throw new PathUriError("encoding", "a Windows path must have an even number of bytes");
  }
  return text;
}

const SLASH = 0x2f;

/**
 * The URI of an absolute POSIX path. `.`, `..` and empty segments are resolved as written, without
 * a look at symbolic links, since no URI can hold them; so is a `/` at the end.
 *
 * @throws {PathUriError} `not-absolute`, or `encoding` for text with an unpaired surrogate
 */
function posixPathToParts(path: string | Uint8Array): PathParts {
  if (typeof path === "string") {
    if (hasPlainPath(path, 0) && !path.endsWith("/")) {
      return { kind: "ordinary", text: `file://${path}`, host: "", path, convention: "posix" };
    }
    if (!path.isWellFormed()) {
      throw new PathUriError("encoding", "a POSIX path must not contain an unpaired surrogate");
    }
    return posixPathToParts(new TextEncoder().encode(path));
  }
  if (path[0] !== SLASH) throw new PathUriError("not-absolute", "expected an absolute POSIX path");
  if (path.includes(0)) return opaqueParts(path, "posix");
  return posixParts(resolveSegments(encodePathBytes(path).split("/"), 0));
}

/**
 * The bytes of the POSIX path that an ordinary URI stands for. An encoded slash separates like a
 * plain one, and what it separates is resolved like the rest.
 */
function posixPathBytes({ path }: OrdinaryPath): Uint8Array {
  // Encoding again leaves one spelling of everything but slashes, which then all separate.
  const spelled = /%2f/i.test(path) ? encodePathBytes(decodePathBytes(path)) : path;
  return decodePathBytes(`/${resolveSegments(spelled.split("/"), 0).join("/")}`);
}

/**
 * The URI of an absolute Windows path. `.`, `..` and empty segments are resolved as written,
 * except in what can only be held whole.
 *
 * @throws {PathUriError} `not-absolute`
 */
function windowsPathToParts(path: string): PathParts {
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
function windowsPathText(path: OrdinaryPath): string {
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
