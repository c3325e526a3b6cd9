import type * as z from "zod";
import { invalidParams } from "../protocol/errors.ts";
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
export function handler<P extends z.ZodType, R extends z.ZodType>(
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
export function parseParams<P extends z.ZodType>(schema: P, raw: unknown): z.output<P> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw invalidParams(parsed.error.issues.map(describeIssue).join("; "));
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const member = issue.path.map(String).join(".");
  return member === "" ? issue.message : `\`${member}\`: ${issue.message}`;
}
