import type { EgressProtocol, Verdict } from "../egress/policy.ts";
import type { Environment } from "../os/environment.ts";
import type { ProcessOutcome } from "../process/process.ts";
import type { Method } from "../protocol/methods.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import type { TransportKind } from "../transport/transport.ts";

/** The outcome of a request; cancelled when its connection ended first. */
export type RequestResult = "success" | "error" | "cancelled";

/** The outcome of a command's connection; unreachable if it was allowed and failed. */
export type NetworkOutcome = Verdict["kind"];

/** Records the outcome of a request. Called once. */
export type RequestEnd = (result: RequestResult) => void;

/** The current numbers of connections, sessions and processes. */
export interface ActiveCounts {
  readonly connections: (transport: TransportKind) => number;
  readonly sessions: () => number;
  readonly processes: () => number;
}

/**
 * Records what an executor does, for its operator. It can record only what is named here: no id,
 * command, path, host, URL or environment.
 */
export interface Telemetry {
  /** Sets the source of the counts, which is read whenever they are sent. */
  observe(counts: ActiveCounts): void;
  /** A client has connected. */
  connectionOpened(transport: TransportKind): void;
  /**
   * A request has arrived.
   *
   * @param trace the trace context of the message, not parsed yet
   */
  requestStarted(method: Method | "unknown", trace: unknown): RequestEnd;
  /** A client has resumed its session. */
  sessionResumed(): void;
  /** A process has ended. Called once for each process that was started. */
  processFinished(outcome: ProcessOutcome, sandbox: SandboxType, seconds: number): void;
  /** A command's connection through the executor's proxy has been decided about. */
  networkDecided(protocol: EgressProtocol, outcome: NetworkOutcome): void;
}

/** Telemetry that is sent somewhere. */
export interface RunningTelemetry extends Telemetry {
  /** Sends what is left, for so many milliseconds at most. */
  stop(patienceMs: number): Promise<void>;
}

/** The telemetry of an executor without an endpoint: none. */
export const NO_TELEMETRY: RunningTelemetry = {
  observe: () => {},
  connectionOpened: () => {},
  requestStarted: () => () => {},
  sessionResumed: () => {},
  processFinished: () => {},
  networkDecided: () => {},
  stop: () => Promise.resolve(),
};

const PREFIX = "OTEL_EXPORTER_OTLP_";

/** The variables that enable telemetry. */
const ENDPOINTS = ["ENDPOINT", "METRICS_ENDPOINT", "TRACES_ENDPOINT"];

/** The variables that may hold a secret for the collector. */
const SECRETS = ["HEADERS", "METRICS_HEADERS", "TRACES_HEADERS"];

/**
 * Starts the telemetry that the standard OTEL_* variables configure, if any. The SDK is loaded only then.
 */
export async function startTelemetry(environment: Environment): Promise<RunningTelemetry> {
  if (!isWanted(environment)) return NO_TELEMETRY;
  const { startOtlp } = await import("./otlp/otlp_telemetry.ts");
  return startOtlp(environment);
}

/** The environment for commands, without the secrets of telemetry. */
export function withoutTelemetrySecrets(environment: Environment): Environment {
  if (!isWanted(environment)) return environment;
  const secrets = SECRETS.map((name) => PREFIX + name);
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !secrets.includes(name)),
  );
}

function isWanted(environment: Environment): boolean {
  return ENDPOINTS.some((name) => environment[PREFIX + name]);
}
