import { PathUriError } from "./error.ts";
import { isDrive, type PathParts } from "./parts.ts";
import { OPAQUE_PREFIX, parseOpaque } from "./opaque.ts";
import { hasPlainPath } from "./percent.ts";

const LOCAL_PREFIX = "file://";

/**
 * Parses and validates a path URI by the WHATWG URL rules.
 *
 * @throws {PathUriError} naming what a path URI may not have
 */
export function parsePathUri(text: string): PathParts {
  if (text.startsWith("file:///") && hasPlainPath(text, LOCAL_PREFIX.length)) {
    const path = text.slice(LOCAL_PREFIX.length);
    return { kind: "ordinary", text, host: "", path, convention: "posix" };
  }
  return parseAnyPathUri(text);
}

/** {@linkcode parsePathUri} without the short cut for the most common URIs. */
export function parseAnyPathUri(text: string): PathParts {
  if (!text.isWellFormed()) {
    throw new PathUriError("encoding", "a path URI must not contain an unpaired surrogate");
  }
  const url = URL.parse(text);
  if (url === null) throw refusalOfUnparsable(text);
  refuseForeignMembers(url);

  if (url.href.startsWith(OPAQUE_PREFIX)) return parseOpaque(url.href);
  if (url.pathname.includes("%00")) {
    throw new PathUriError("nul", "a path URI must not contain a NUL (%00)");
  }
  const { host } = url;
  const path = withDriveColon(url.pathname);
  const hasDrive = startsOnDrive(path);
  if (hasDrive && (host !== "" || hasForgottenHost(text))) {
    throw new PathUriError("host", "a path URI must not have both a server and a drive");
  }
  const convention = hasDrive || host !== "" ? "windows" : "posix";
  return { kind: "ordinary", text: `${LOCAL_PREFIX}${host}${path}`, host, path, convention };
}

/** Refuses what other URLs may have and a path has no meaning for. */
function refuseForeignMembers(url: URL): void {
  if (url.protocol !== "file:") throw refusalOfScheme(url.protocol.slice(0, -1));
  // Only the whole text shows an empty query or fragment. A `?` or `#` of the path is escaped there.
  const [beforeFragment = "", ...fragment] = url.href.split("#");
  if (beforeFragment.includes("?")) {
    throw new PathUriError("query", "a path URI must not have a query");
  }
  if (fragment.length > 0) {
    throw new PathUriError("fragment", "a path URI must not have a fragment");
  }
  if (url.host === ".") {
    throw new PathUriError("host", "a path URI must not name the Windows device namespace");
  }
}

/** A drive may be written `C|` in a URL, and means `C:`. */
function withDriveColon(path: string): string {
  return /^\/[a-z]\|(\/|$)/i.test(path) ? `${path.slice(0, 2)}:${path.slice(3)}` : path;
}

function startsOnDrive(path: string): boolean {
  const first = path.split("/").find((segment) => segment !== "");
  return first !== undefined && isDrive(first);
}

/** The URL parser drops the server of `file://server/C:/x`, which would leave a local path. */
function hasForgottenHost(text: string): boolean {
  const authority = authorityOf(text);
  return authority !== "" && Boolean(URL.parse(`file://${authority}/`)?.host);
}

/** Why the URL parser, which does not tell, found no URL in a text. */
function refusalOfUnparsable(text: string): PathUriError {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    return new PathUriError("not-a-uri", "expected a file: URI, got a relative or native path");
  }
  if (scheme !== "file") return refusalOfScheme(scheme);
  const authority = authorityOf(text);
  if (authority.includes("@")) {
    return new PathUriError("credentials", "a path URI must not have credentials");
  }
  if (/^(\[[^\]]*\]|[^:[\]]*):\d*$/.test(authority)) {
    return new PathUriError("port", "a path URI must not have a port");
  }
  return new PathUriError("host", `'${authority}' is not a valid host for a path URI`);
}

function refusalOfScheme(scheme: string): PathUriError {
  // No URI scheme in use is a single letter, while every Windows path begins with one.
  if (scheme.length === 1) {
    return new PathUriError("not-a-uri", "expected a file: URI, got a Windows path");
  }
  return new PathUriError("scheme", `a path URI must have the scheme file, not '${scheme}'`);
}

/** The authority as written, found by the rules of the URL parser: it skips tabs and newlines. */
function authorityOf(text: string): string {
  const seen = text.replace(/[\t\n\r]/g, "");
  return /^[^!-~]*file:[\\/]{2}([^\\/?#]*)/i.exec(seen)?.[1] ?? "";
}
