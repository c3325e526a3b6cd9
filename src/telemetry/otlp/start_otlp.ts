import { log } from "../log.ts";
import { NO_TELEMETRY, type RunningTelemetry } from "../telemetry.ts";
import { otlpConfiguration } from "./configuration.ts";
import { OtlpTelemetry } from "./otlp_telemetry.ts";
import { OtelVariables } from "./variables.ts";

/** Starts what the environment asks for. What is wrong with it is logged and left out. */
export function startOtlp(environment: Readonly<Record<string, string>>): RunningTelemetry {
  const variables = new OtelVariables(environment);
  const configuration = otlpConfiguration(variables);
  for (const { variable, reason } of variables.problems) {
    log("warn", "a telemetry setting cannot be used", { option: variable, reason });
  }
  if (configuration.metrics === undefined && configuration.traces === undefined) {
    return NO_TELEMETRY;
  }
  return new OtlpTelemetry(configuration);
}
