import type * as z from "zod/mini";
import { invalidParams } from "../protocol/errors.ts";
import { describeIssue } from "../protocol/issue.ts";
import type { MethodFamily } from "../protocol/methods.ts";
import type { Session } from "./session.ts";

/** What a handler may use besides its parameters. */
export interface RequestContext {
  readonly session: Session;
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal;
}

/** A method with its handler, ready for parameters that nobody has looked at yet. */
export interface RequestHandler {
  readonly family: MethodFamily;
  /** Checks the parameters. @throws {RpcError} -32602 */
  prepare(params: unknown): (context: RequestContext) => unknown | Promise<unknown>;
}

/** Joins a method's contract and the function that does its work. */
export function handler<P extends z.ZodMiniType, R extends z.ZodMiniType>(
  contract: { readonly family: MethodFamily; readonly params: P; readonly result: R },
  handle: (
    params: z.output<P>,
    context: RequestContext,
  ) => z.input<R> | Promise<z.input<R>>,
): RequestHandler {
  return {
    family: contract.family,
    prepare(raw) {
      const params = parseParams(contract.params, raw);
      return (context) => handle(params, context);
    },
  };
}

/** Parses parameters. @throws {RpcError} -32602, naming every member that is wrong */
export function parseParams<P extends z.ZodMiniType>(schema: P, raw: unknown): z.output<P> {
  const parsed = safeParse(schema, raw);
  if (parsed.success) return parsed.data;
  throw invalidParams(parsed.error.issues.map(describeIssue).join("; "));
}

/** The parser recurses, and JSON can be nested deeper than there is room for. */
function safeParse<P extends z.ZodMiniType>(
  schema: P,
  raw: unknown,
): z.core.util.SafeParseResult<z.output<P>> {
  try {
    return schema.safeParse(raw, { reportInput: true });
  } catch (error) {
    throw error instanceof RangeError ? invalidParams("nested too deeply") : error;
  }
}
