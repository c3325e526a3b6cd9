import {
  ErrorCode,
  internalError,
  invalidParams,
  invalidRequest,
  RpcError,
} from "../protocol/errors.ts";
import { PathUriError } from "../protocol/path_uri.ts";
import { describeErrno } from "../os/errno.ts";

/** The system's errors that say the operation itself is wrong; all but these are -32603. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: ErrorCode.NotFound,
  EACCES: ErrorCode.InvalidRequest,
  EPERM: ErrorCode.InvalidRequest,
  EINVAL: ErrorCode.InvalidRequest,
};

/**
 * What a client is told about a failed file operation: the system's words, as in
 * `Permission denied (os error 13)`.
 *
 * @returns the error itself if neither the system nor the client is to blame for it
 */
export function toRpcError(error: unknown): unknown {
  if (error instanceof RpcError) return error;
  if (error instanceof PathUriError) {
    return error.code === "foreign" ? invalidRequest(error.message) : invalidParams(error.message);
  }
  // The runtime's own: a path that it was given by the system is not UTF-8.
  if (error instanceof Deno.errors.InvalidData) return internalError(error.message, error);
  const words = systemWords(error);
  if (words === undefined) return error;
  const code = CODES[systemErrorCode(error) ?? ""];
  return code === undefined
    ? internalError(words, error)
    : new RpcError(code, words, { cause: error });
}

/** The system's words, as in `Is a directory (os error 21)`, or undefined if it did not fail. */
export function systemWords(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // Deno puts the path behind them.
  const words = /^.*?\(os error \d+\)/s.exec(error.message)?.[0];
  if (words !== undefined) return words;
  // Node has words of its own, in front of the path.
  if (!("errno" in error) || typeof error.errno !== "number") return undefined;
  return Deno.build.os === "linux" ? describeErrno(-error.errno) : error.message;
}

/** The name of the system's error, as in `ENOENT`, or undefined if it was none of the system's. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Whether a path does not lead to anything. */
export function isNotFound(error: unknown): boolean {
  return systemErrorCode(error) === "ENOENT";
}
