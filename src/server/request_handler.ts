import type { FileHandles } from "../filesystem/file_handles.ts";
import type { MissingWatch } from "../filesystem/missing_watch.ts";
import type { PathChanges } from "../filesystem/path_changes.ts";
import type { JsonText } from "../protocol/envelope.ts";
import { describeIssue, invalidParams } from "../protocol/errors.ts";
import type { MethodFamily } from "../protocol/methods.ts";
import type { TcpConnections } from "../net/tcp_connections.ts";
import type { HttpTraffic } from "./handlers/http.ts";
import type { Session } from "./session.ts";
import type { Turns } from "./turns.ts";
import type * as z from "zod/mini";

/** What a handler gets besides its parameters. */
export interface RequestContext {
  readonly session: Session;
  /**
   * The session of that id, or the connection's own.
   *
   * @throws {RpcError} -32600 for an unknown or expired id
   */
  readonly sessionOf: (id: string | undefined) => Session;
  /** The files that the connection has open. */
  readonly files: FileHandles;
  /** Watches paths that do not exist. */
  readonly missing: MissingWatch;
  /** Limits the connection's heavy work. */
  readonly turns: Turns;
  /** Keeps the connection's changes of one path in order. */
  readonly changes: PathChanges;
  /** State that the connection's HTTP requests share. */
  readonly http: HttpTraffic;
  /** The connections to ports of this machine that the client has open. */
  readonly tcp: TcpConnections;
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal;
}

/** The handler of a method, which also parses its parameters. */
export interface RequestHandler {
  readonly family: MethodFamily;
  /** Parses the parameters and returns the call to make. @throws {RpcError} -32602 */
  prepare(params: unknown): (context: RequestContext) => unknown | Promise<unknown>;
}

/** Makes the handler of a method from its schemas and the function that does its work. */
export function handler<P extends z.ZodMiniType, R extends z.ZodMiniType>(
  contract: { readonly family: MethodFamily; readonly params: P; readonly result: R },
  handle: (
    params: z.output<P>,
    context: RequestContext,
  ) => z.input<R> | JsonText | Promise<z.input<R> | JsonText>,
): RequestHandler {
  return {
    family: contract.family,
    prepare(raw) {
      const params = parseParams(contract.params, raw);
      return (context) => handle(params, context);
    },
  };
}

/** Wrong members that an error names at most; a list can have millions. */
const MAX_NAMED = 20;

/** Parses parameters. @throws {RpcError} -32602, naming the members that are wrong */
export function parseParams<P extends z.ZodMiniType>(schema: P, raw: unknown): z.output<P> {
  const parsed = safeParse(schema, raw);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const named = issues.slice(0, MAX_NAMED).map(describeIssue).join("; ");
  const others = issues.length - MAX_NAMED;
  throw invalidParams(others > 0 ? `${named}; and ${others} more` : named);
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
