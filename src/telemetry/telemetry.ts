import type { EgressProtocol, Verdict } from "../egress/policy.ts";
import type { Environment } from "../os/environment.ts";
import type { ProcessOutcome } from "../process/process.ts";
import type { Method } from "../protocol/methods.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import type { TransportKind } from "../transport/transport.ts";

/** How a request came out; cancelled when its connection ended first. */
export type RequestResult = "success" | "error" | "cancelled";

/** What became of a connection; unreachable when it was allowed and nothing was there. */
export type NetworkOutcome = Verdict["kind"];

/** To be called once, when a request has come out. */
export type RequestEnd = (result: RequestResult) => void;

/** How many there are of what comes and goes, at the moment of asking. */
export interface ActiveCounts {
  readonly connections: (transport: TransportKind) => number;
  readonly sessions: () => number;
  readonly processes: () => number;
}

/**
 * Takes down what an executor does, for whoever operates it. Only what is named here can be told:
 * no id, command, path, host, URL or environment.
 */
export interface Telemetry {
  /** Names the source of the counts; it is asked whenever they are sent. */
  observe(counts: ActiveCounts): void;
  /** A client has connected. */
  connectionOpened(transport: TransportKind): void;
  /**
   * A request has come.
   *
   * @param trace what the message says of the trace it belongs to; nobody has looked at it yet
   */
  requestStarted(method: Method | "unknown", trace: unknown): RequestEnd;
  /** A client has come back to its session. */
  sessionResumed(): void;
  /** A process has ended; told once of each that was started. */
  processFinished(outcome: ProcessOutcome, sandbox: SandboxType, seconds: number): void;
  /** A command's connection through the executor's proxy has been decided about. */
  networkDecided(protocol: EgressProtocol, outcome: NetworkOutcome): void;
}

/** Telemetry that goes somewhere. */
export interface RunningTelemetry extends Telemetry {
  /** Sends what is left, and gives up after so many milliseconds. */
  stop(patienceMs: number): Promise<void>;
}

/** What an executor has while nobody asked for telemetry. */
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

/** Any of these switches telemetry on. */
const ENDPOINTS = ["ENDPOINT", "METRICS_ENDPOINT", "TRACES_ENDPOINT"];

/** What these hold may be a secret between this program and the collector. */
const SECRETS = ["HEADERS", "METRICS_HEADERS", "TRACES_HEADERS"];

/**
 * Starts the telemetry that the standard OTEL_* variables ask for, if they do; the SDK is loaded
 * only then.
 */
export async function startTelemetry(environment: Environment): Promise<RunningTelemetry> {
  if (!isWanted(environment)) return NO_TELEMETRY;
  const { startOtlp } = await import("./otlp/otlp_telemetry.ts");
  return startOtlp(environment);
}

/** An environment without the secrets of telemetry, as commands may have it. */
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
