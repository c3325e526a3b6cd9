import { fromBase64, toBase64 } from "../base64.ts";
import { PathUriError } from "./error.ts";
import type { OpaquePath, PathConvention } from "./parts.ts";
import { decodeUtf16, isAbsoluteWindows } from "./windows_grammar.ts";

/**
 * What every opaque URI begins with. The encoded NUL keeps these apart from the URIs of paths that
 * exist: no system has a file with a NUL in its name.
 */
export const OPAQUE_PREFIX = "file:///%00/bad/path/";

const SLASH = 0x2f;

/** Packs a native path's bytes (UTF-16LE on Windows) into a URI. */
export function opaqueParts(bytes: Uint8Array, convention: PathConvention): OpaquePath {
  return { kind: "opaque", text: `${OPAQUE_PREFIX}${toBase64(bytes, "base64url")}`, convention };
}

/**
 * Reads a URI that begins with {@linkcode OPAQUE_PREFIX}.
 *
 * @throws {PathUriError} `opaque`, unless what follows is the one spelling of some absolute path's
 * bytes in unpadded base64url
 */
export function parseOpaque(text: string): OpaquePath {
  const bytes = bytesOf(text);
  if (bytes === undefined || bytes.length === 0) {
    throw new PathUriError("opaque", "an opaque path URI must hold a path in unpadded base64url");
  }
  const convention = conventionOf(bytes);
  if (convention === undefined) {
    throw new PathUriError("opaque", "an opaque path URI must hold an absolute path");
  }
  return { kind: "opaque", text, convention };
}

/** The native path's bytes, in an array of their own. */
export function opaqueBytes(path: OpaquePath): Uint8Array {
  return bytesOf(path.text) ?? new Uint8Array();
}

function bytesOf(text: string): Uint8Array | undefined {
  const encoded = text.slice(OPAQUE_PREFIX.length);
  try {
    const bytes = fromBase64(encoded, "base64url");
    // The decoder takes padding and stray last bits too; one path must have one spelling.
    return toBase64(bytes, "base64url") === encoded ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function conventionOf(bytes: Uint8Array): PathConvention | undefined {
  if (bytes[0] === SLASH) return "posix";
  const text = decodeUtf16(bytes);
  return text !== undefined && isAbsoluteWindows(text) ? "windows" : undefined;
}
