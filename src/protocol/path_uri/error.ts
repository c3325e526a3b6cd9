/** Why a path URI, or an operation on one, was refused. */
export type PathUriErrorCode =
  /** A relative reference or a bare native path where a URI belongs. */
  | "not-a-uri"
  /** A scheme other than `file`. */
  | "scheme"
  | "credentials"
  | "port"
  | "query"
  | "fragment"
  /** A host that no URL may have, or that no share can be on. */
  | "host"
  /** A NUL, which no native path can hold. */
  | "nul"
  /** Text or bytes that the wanted encoding cannot express. */
  | "encoding"
  /** A native path that does not start at a root. */
  | "not-absolute"
  /** A path of the other convention than the one asked for. */
  | "foreign"
  /** An opaque URI that is malformed, or was asked for what only ordinary paths have. */
  | "opaque";

/**
 * A path URI that cannot be had, or an operation that a path does not allow. The message names the
 * reason in plain words and can be sent to a client as it is.
 */
export class PathUriError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "PathUriError";
  /** The reason for programs; the message is for people. */
  readonly code: PathUriErrorCode;

  /** Makes the error for a reason; the message tells a person the same. */
  constructor(code: PathUriErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
