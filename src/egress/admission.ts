import { type Connector, DialError } from "./dial.ts";
import { authorityOf } from "./authority.ts";
import type { Route, Target, Verdict } from "./policy.ts";
import type { ByteStream, StreamReader } from "./stream.ts";

/** What serving one connection takes. */
export interface ProxyContext {
  readonly connect: Connector;
  /** Judges a target, and writes down how it came out. */
  judge(target: Target): Promise<Verdict>;
  /** Writes down that there is a connection. */
  reached(target: Target): void;
  /** Writes down that a tunnel that was allowed asked for another server. */
  asksForOther(target: Target, serverName: string): void;
  /** Aborted when the connection or its command has ended. */
  readonly signal: AbortSignal;
}

/** A connection of a command. */
export interface Inside {
  readonly stream: ByteStream;
  readonly reader: StreamReader;
}

/** Why a command does not get a connection. */
export type Refusal = Exclude<Verdict, { readonly kind: "allowed" }>;

/** What became of the wish to reach a target. */
export type Admission<Outside> =
  /** There is a connection, which whoever asked has to close. */
  | { readonly kind: "admitted"; readonly outside: Outside; readonly route: Route }
  | Refusal;

/** Has a target judged and, if it may be reached, connects to it. Both is written down. */
export async function admit<Outside>(
  target: Target,
  context: ProxyContext,
  dial: (
    target: Target,
    route: Route,
    connect: Connector,
    signal: AbortSignal,
  ) => Promise<Outside>,
): Promise<Admission<Outside>> {
  const verdict = await context.judge(target);
  if (verdict.kind !== "allowed") return verdict;
  const { route } = verdict;
  try {
    const outside = await dial(target, route, context.connect, context.signal);
    context.reached(target);
    return { kind: "admitted", outside, route };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const { host, port } = target;
    return { kind: "unreachable", message: `${authorityOf(host, port)}: ${error.message}` };
  }
}
