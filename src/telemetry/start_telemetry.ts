import { NO_TELEMETRY, type RunningTelemetry } from "./telemetry.ts";

const PREFIX = "OTEL_EXPORTER_OTLP_";

/** Any of these switches telemetry on. */
const ENDPOINTS = ["ENDPOINT", "METRICS_ENDPOINT", "TRACES_ENDPOINT"];

/** What these hold may be a secret between this program and the collector. */
const SECRETS = ["HEADERS", "METRICS_HEADERS", "TRACES_HEADERS"];

/**
 * Starts the telemetry that the standard OTEL_* variables ask for, if they do; the SDK is loaded
 * only then. The headers that it sends are taken out of this program's environment, as commands
 * inherit that when their client wants it.
 */
export async function startTelemetry(): Promise<RunningTelemetry> {
  if (!ENDPOINTS.some((name) => Deno.env.get(PREFIX + name))) return NO_TELEMETRY;
  const environment = Deno.env.toObject();
  for (const name of SECRETS) Deno.env.delete(PREFIX + name);
  const { startOtlp } = await import("./otlp/start_otlp.ts");
  return startOtlp(environment);
}
