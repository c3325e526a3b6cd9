import {
  type FileMethod,
  type PerformFileMethod,
  performFileMethod,
} from "../../src/filesystem/operations.ts";
import { RpcError } from "../../src/protocol/errors.ts";
import { methods } from "../../src/protocol/methods.ts";

/** What a client is answered: a result, or an error's code and message. */
export type Outcome = { readonly result: unknown } | {
  readonly code: number;
  readonly message: string;
};

/** A request as a client writes it. */
export type Request = readonly [method: FileMethod, params: unknown];

/** Performs a request whose parameters have the right form. */
export function perform(...request: Request): Promise<Outcome> {
  return performBy(performFileMethod, ...request);
}

/** Performs a request in somebody's way. */
export async function performBy(
  performMethod: PerformFileMethod,
  ...[method, params]: Request
): Promise<Outcome> {
  try {
    return { result: await performMethod(method, methods[method].params.parse(params)) };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** Answers that many tests expect. */
export const DONE: Outcome = { result: {} };
export const NOT_FOUND: Outcome = {
  code: -32004,
  message: "No such file or directory (os error 2)",
};
export const DENIED: Outcome = { code: -32600, message: "Permission denied (os error 13)" };
export const NOT_A_DIRECTORY: Outcome = { code: -32603, message: "Not a directory (os error 20)" };
export const IS_A_DIRECTORY: Outcome = { code: -32603, message: "Is a directory (os error 21)" };
export const EXISTS: Outcome = { code: -32603, message: "File exists (os error 17)" };
export const NAME_TOO_LONG: Outcome = { code: -32603, message: "File name too long (os error 36)" };
export const LINK_LOOP: Outcome = {
  code: -32603,
  message: "Too many levels of symbolic links (os error 40)",
};
/** A path of Windows, which this host has no place for. */
export const FOREIGN_URI = "file:///C:/x";
export const FOREIGN: Outcome = {
  code: -32600,
  message: "'file:///C:/x' is a Windows path, and paths of this host are POSIX paths",
};
/** A name that no file system takes. */
export const LONG_NAME = "n".repeat(300);

/** The parameter that carries this text. */
export function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
