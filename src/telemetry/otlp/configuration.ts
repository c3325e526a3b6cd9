import type { TemporalityPreference } from "./exporter.ts";
import { type OtlpTarget, otlpTarget } from "./target.ts";
import type { OtelVariables } from "./variables.ts";

/** How metrics are collected and sent. */
export interface MetricsConfiguration {
  readonly target: OtlpTarget;
  readonly intervalMs: number;
  /** Not more than the interval. */
  readonly timeoutMs: number;
  readonly temporality: TemporalityPreference;
}

/** The specification's names of samplers. */
const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** The name of a sampler. */
export type SamplerName = typeof SAMPLERS[number];

/** How spans are sampled and sent. */
export interface TracesConfiguration {
  readonly target: OtlpTarget;
  readonly sampler: SamplerName;
  /** Of the samplers by ratio. */
  readonly ratio: number;
  /** Between two exports. */
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
  readonly maxQueueSize: number;
  /** Not more than the queue holds. */
  readonly maxExportBatchSize: number;
}

/** The configuration of each signal; undefined for one that is not sent. */
export interface OtlpConfiguration {
  readonly metrics: MetricsConfiguration | undefined;
  readonly traces: TracesConfiguration | undefined;
}

/** Reads the standard variables, with the specification's defaults. */
export function otlpConfiguration(variables: OtelVariables): OtlpConfiguration {
  if (variables.isTrue("OTEL_SDK_DISABLED")) return { metrics: undefined, traces: undefined };
  const metrics = otlpTarget("metrics", variables);
  const traces = otlpTarget("traces", variables);
  return {
    metrics: metrics && metricsConfiguration(metrics, variables),
    traces: traces && tracesConfiguration(traces, variables),
  };
}

function metricsConfiguration(target: OtlpTarget, variables: OtelVariables): MetricsConfiguration {
  const intervalMs = variables.count(["OTEL_METRIC_EXPORT_INTERVAL"], 60_000);
  const timeoutMs = variables.count(["OTEL_METRIC_EXPORT_TIMEOUT"], 30_000);
  return {
    target,
    intervalMs,
    timeoutMs: Math.min(timeoutMs, intervalMs),
    temporality: variables.choice(
      ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"],
      ["cumulative", "delta", "lowmemory"],
      "cumulative",
    ),
  };
}

function tracesConfiguration(target: OtlpTarget, variables: OtelVariables): TracesConfiguration {
  const maxQueueSize = variables.count(["OTEL_BSP_MAX_QUEUE_SIZE"], 2048);
  const maxExportBatchSize = variables.count(["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], 512);
  return {
    target,
    sampler: variables.choice(["OTEL_TRACES_SAMPLER"], SAMPLERS, "parentbased_always_on"),
    ratio: variables.ratio("OTEL_TRACES_SAMPLER_ARG", 1),
    scheduledDelayMillis: variables.count(["OTEL_BSP_SCHEDULE_DELAY"], 5000),
    exportTimeoutMillis: variables.count(["OTEL_BSP_EXPORT_TIMEOUT"], 30_000),
    maxQueueSize,
    maxExportBatchSize: Math.min(maxExportBatchSize, maxQueueSize),
  };
}
