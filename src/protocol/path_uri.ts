import { ancestorsOf, basenameOf, isWithin, joinText, parentOf } from "./path_uri/lexical.ts";
import { nativePathBytes, nativePathText, nativePathToParts } from "./path_uri/native.ts";
import { parsePathUri } from "./path_uri/parse.ts";
import { hostConvention, type PathConvention, type PathParts } from "./path_uri/parts.ts";

export { hostConvention, type PathConvention } from "./path_uri/parts.ts";
export { PathUriError, type PathUriErrorCode } from "./path_uri/error.ts";

/**
 * A path that crosses operating systems: an immutable, validated `file:` URI. It is parsed and
 * inspected the same everywhere and becomes a native path only where it is used.
 *
 * A URI with a server (`file://server/share`) or a drive first (`file:///C:/x`) is a Windows path,
 * every other a POSIX path. Comparisons go by spelling: `%61` is not `a`, `c:` is not `C:`, and
 * nothing is looked up on a disk. A path that no ordinary URI can hold is packed into an opaque
 * one, `file:///%00/bad/path/…`, which survives the round trip but has no parts.
 *
 * @example
 * ```ts
 * const source = PathUri.parse("file:///work/src");
 * source.join("../tests/a b.ts").toString(); // "file:///work/tests/a%20b.ts"
 * source.toNativePath("posix"); // "/work/src"
 * ```
 */
export class PathUri {
  // Not a #field, so that comparing two objects deeply compares their paths.
  private constructor(private readonly parts: PathParts) {
    Object.freeze(this);
  }

  /**
   * Parses a path URI by the WHATWG URL rules.
   *
   * @throws {PathUriError} for a scheme other than file, a relative reference, a native path,
   * credentials, a port, a query, a fragment, or a NUL
   */
  static parse(text: string): PathUri {
    return new PathUri(parsePathUri(text));
  }

  /**
   * The URI of an absolute native path. `.` and `..` are resolved as written.
   *
   * @param path text, or the system's own bytes: any on POSIX, UTF-16LE on Windows
   * @throws {PathUriError} for a path that is not absolute, and for text with an unpaired surrogate
   * where the convention is POSIX
   */
  static fromNativePath(
    path: string | Uint8Array,
    convention: PathConvention = hostConvention(),
  ): PathUri {
    return new PathUri(nativePathToParts(path, convention));
  }

  /** Whose paths this one belongs to. */
  get convention(): PathConvention {
    return this.parts.convention;
  }

  /**
   * The native path as text. An encoded separator separates like a plain one, and what it
   * separates is resolved: `/a%2F..%2Fb` is `/b`.
   *
   * @throws {PathUriError} if the path is not one of `host`'s, or is a POSIX path whose bytes are
   * not UTF-8: {@linkcode toNativeBytes} has those
   */
  toNativePath(host: PathConvention = hostConvention()): string {
    return nativePathText(this.parts, host);
  }

  /**
   * The native path as the system's own bytes, UTF-16LE on Windows, with no NUL at the end.
   *
   * @throws {PathUriError} if the path is not one of `host`'s
   */
  toNativeBytes(host: PathConvention = hostConvention()): Uint8Array {
    return nativePathBytes(this.parts, host);
  }

  /**
   * The last segment decoded (as it is spelled, if it is not UTF-8), or undefined for `/` and
   * opaque URIs. That of a drive is `C:`, that of a share its name.
   */
  basename(): string | undefined {
    return basenameOf(this.parts);
  }

  /** The directory above, or undefined for `/`, a drive, a share and opaque URIs. */
  parent(): PathUri | undefined {
    const parent = parentOf(this.parts);
    return parent && new PathUri(parent);
  }

  /** This path, its parent, and so on up to the root. */
  *ancestors(): Generator<PathUri, void, undefined> {
    for (const parts of ancestorsOf(this.parts)) yield new PathUri(parts);
  }

  /**
   * Resolves native path text of this path's convention against it. Absolute text replaces it, and
   * `..` never climbs past the root. On Windows text like `\x` keeps the drive or share.
   *
   * @throws {PathUriError} for text with a NUL or an unpaired surrogate, for `C:x`, and on an
   * opaque path for any text but the empty one
   */
  join(text: string): PathUri {
    const joined = joinText(this.parts, text);
    return joined === this.parts ? this : new PathUri(joined);
  }

  /**
   * Whether this path is `base` or below it. False if either hides an encoded separator in a
   * segment, as its native path may then lead elsewhere. Opaque paths contain only themselves.
   */
  startsWith(base: PathUri): boolean {
    return isWithin(this.parts, base.parts);
  }

  /** Whether each path contains the other, so that `/a` and `/a/` are equal. */
  equals(other: PathUri): boolean {
    return isWithin(this.parts, other.parts) && isWithin(other.parts, this.parts);
  }

  /** The canonical URI, which parses to an equal path. */
  toString(): string {
    return this.parts.text;
  }

  /** The canonical URI, so that the path can be part of a message. */
  toJSON(): string {
    return this.parts.text;
  }
}
