import type * as z from "zod/mini";

/**
 * Error codes of the protocol.
 *
 * The first four are those of JSON-RPC 2.0 (https://www.jsonrpc.org/specification#error_object),
 * the last two belong to the exec-server protocol.
 */
export const ErrorCode = {
  /** The message is wrong or comes at the wrong time: not initialized, unknown process, … */
  InvalidRequest: -32600,
  /** No such method. */
  MethodNotFound: -32601,
  /** A member is missing or has the wrong form. */
  InvalidParams: -32602,
  /** The executor could not or may not do it: a spawn, an I/O operation or a request failed. */
  Internal: -32603,
  /** The file, directory or file handle does not exist. */
  NotFound: -32004,
  /** The session is still attached to another connection; trying again later may succeed. */
  SessionAttached: -32010,
} as const;

/** One of the numbers in {@linkcode ErrorCode}. */
export type ErrorCode = typeof ErrorCode[keyof typeof ErrorCode];

/** A failure that the client gets as a JSON-RPC error. */
export class RpcError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "RpcError";
  /** The error code; the message describes the error. */
  readonly code: number;

  /** Further data of the method, which a client has to parse. */
  readonly data: unknown;

  /**
   * Makes an error.
   *
   * @param code see {@linkcode ErrorCode}; a client also sees codes of other servers
   */
  constructor(
    code: number,
    message: string,
    options: ErrorOptions & { readonly data?: unknown } = {},
  ) {
    super(message, options);
    this.code = code;
    this.data = options.data;
  }
}

/** The message is wrong or comes at the wrong time (-32600). */
export function invalidRequest(message: string): RpcError {
  return new RpcError(ErrorCode.InvalidRequest, message);
}

/** A member is missing or has the wrong form (-32602). */
export function invalidParams(message: string): RpcError {
  return new RpcError(ErrorCode.InvalidParams, message);
}

/** The executor could not do it (-32603). */
export function internalError(message: string, cause?: unknown, data?: unknown): RpcError {
  return new RpcError(ErrorCode.Internal, message, { cause, data });
}

/** The file, directory or file handle does not exist (-32004). */
export function notFound(message: string): RpcError {
  return new RpcError(ErrorCode.NotFound, message);
}

/** Describes what is wrong with one member of a message. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  const member = issue.path.map(String).join(".");
  const problem = describeProblem(issue);
  return member === "" ? problem : `\`${member}\` ${problem}`;
}

function describeProblem(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be of type ${issue.expected}`;
    case "invalid_value":
      return issue.input === undefined
        ? "is missing"
        : `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "invalid_union":
      return issue.discriminator === undefined
        ? "has none of the forms that it may have"
        : "is of an unknown type";
    case "too_small":
      return ownWords(issue) ?? `must be at least ${issue.minimum}`;
    case "too_big":
      return ownWords(issue) ?? `must be at most ${issue.maximum}`;
    default:
      return ownWords(issue) ?? "is not valid";
  }
}

/** The message of a schema that has one; the others have the library's placeholder. */
function ownWords({ message }: z.core.$ZodIssue): string | undefined {
  return message === "Invalid input" ? undefined : message;
}
