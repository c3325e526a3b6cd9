import type { TemporalityPreference } from "./exporter.ts";
import { type OtlpTarget, otlpTarget } from "./target.ts";

/** A variable that is ignored, and why. */
export interface SettingProblem {
  readonly variable: string;
  /** Without the value, which may be a secret. */
  readonly reason: string;
}

/**
 * Reads variables of the OpenTelemetry specification. An empty one counts as not set; an invalid one is
 * noted as a problem and replaced by its default, as the specification asks
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 */
export class OtelVariables {
  readonly problems: SettingProblem[] = [];
  readonly #values: Readonly<Record<string, string>>;

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = values;
  }

  /** Notes a problem, once. */
  problem(variable: string, reason: string): void {
    const known = this.problems.some((one) => one.variable === variable && one.reason === reason);
    if (!known) this.problems.push({ variable, reason });
  }

  /** The first of some variables that is set, with its value. */
  first(...names: readonly string[]): { name: string; value: string } | undefined {
    for (const name of names) {
      const value = this.text(name);
      if (value !== undefined) return { name, value };
    }
    return undefined;
  }

  text(name: string): string | undefined {
    return this.#values[name]?.trim() || undefined;
  }

  isTrue(name: string): boolean {
    return this.text(name)?.toLowerCase() === "true";
  }

  /** The value of the first variable that is set, if it is one of some words. */
  choice<const T extends string>(
    names: readonly string[],
    words: readonly T[],
    fallback: NoInfer<T>,
  ): T {
    const given = this.first(...names);
    if (given === undefined) return fallback;
    const word = words.find((word) => word === given.value.toLowerCase());
    if (word !== undefined) return word;
    this.problem(given.name, `it can be ${words.join(", ")}; ${fallback} is used`);
    return fallback;
  }

  /** The value of the first variable that is set, if it is a whole number above zero. */
  count(names: readonly string[], fallback: number): number {
    const given = this.first(...names);
    if (given === undefined) return fallback;
    const number = Number(given.value);
    if (Number.isSafeInteger(number) && number > 0 && number < 2 ** 31) return number;
    this.problem(given.name, `it must be a whole number above 0; ${fallback} is used`);
    return fallback;
  }

  /** A number from 0 to 1. */
  ratio(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const number = Number(text);
    if (number >= 0 && number <= 1) return number;
    this.problem(name, `it must be a number from 0 to 1; ${fallback} is used`);
    return fallback;
  }
}

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
