import { PathUriError } from "./error.ts";
import { opaqueParts } from "./opaque.ts";
import { type OrdinaryPath, type PathParts, posixParts, resolveSegments } from "./parts.ts";
import { decodePathBytes, encodePathBytes } from "./percent.ts";
import { hasPlainPath } from "./plain.ts";

const SLASH = 0x2f;

/**
 * The URI of an absolute POSIX path. `.`, `..` and empty segments are resolved as written, without
 * a look at symbolic links, since no URI can hold them; so is a `/` at the end.
 *
 * @throws {PathUriError} `not-absolute`, or `encoding` for text with an unpaired surrogate
 */
export function posixPathToParts(path: string | Uint8Array): PathParts {
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
export function posixPathBytes({ path }: OrdinaryPath): Uint8Array {
  // Encoding again leaves one spelling of everything but slashes, which then all separate.
  const spelled = /%2f/i.test(path) ? encodePathBytes(decodePathBytes(path)) : path;
  return decodePathBytes(`/${resolveSegments(spelled.split("/"), 0).join("/")}`);
}
