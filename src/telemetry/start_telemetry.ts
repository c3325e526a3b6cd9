import type { Environment } from "../native/environment.ts";
import { NO_TELEMETRY, type RunningTelemetry } from "./telemetry.ts";

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
  const { startOtlp } = await import("./otlp/start_otlp.ts");
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
