import { log } from "../../log/log.ts";
import type { EgressProtocol } from "../../egress/policy.ts";
import type { ProcessOutcome } from "../../process/process.ts";
import type { Method } from "../../protocol/methods.ts";
import type { SandboxType } from "../../protocol/sandbox.ts";
import { deadline } from "@std/async/deadline";
import type { TransportKind } from "../../transport/transport.ts";
import { VERSION } from "../../version.ts";
import {
  type ActiveCounts,
  type NetworkOutcome,
  NO_TELEMETRY,
  type RequestEnd,
  type RunningTelemetry,
} from "../telemetry.ts";
import { OtelVariables, type OtlpConfiguration, otlpConfiguration } from "./configuration.ts";
import { OtlpMetrics } from "./metrics.ts";
import { OtlpSpans } from "./spans.ts";
import {
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";

/** Sends metrics and spans of an executor to a collector. */
export class OtlpTelemetry implements RunningTelemetry {
  readonly #metrics: OtlpMetrics | undefined;
  readonly #spans: OtlpSpans | undefined;

  constructor({ metrics, traces }: OtlpConfiguration) {
    const resource = executorResource();
    this.#metrics = metrics && new OtlpMetrics(metrics, resource);
    this.#spans = traces && new OtlpSpans(traces, resource);
  }

  observe(counts: ActiveCounts): void {
    this.#metrics?.observe(counts);
  }

  connectionOpened(transport: TransportKind): void {
    this.#metrics?.connectionOpened(transport);
  }

  requestStarted(method: Method | "unknown", trace: unknown): RequestEnd {
    const startedAt = performance.now();
    const endSpan = this.#spans?.requestStarted(method, trace);
    return (result) => {
      this.#metrics?.requestFinished(method, result, (performance.now() - startedAt) / 1000);
      endSpan?.(result);
    };
  }

  sessionResumed(): void {
    this.#metrics?.sessionResumed();
  }

  processFinished(outcome: ProcessOutcome, sandbox: SandboxType, seconds: number): void {
    this.#metrics?.processFinished(outcome, sandbox, seconds);
  }

  networkDecided(protocol: EgressProtocol, outcome: NetworkOutcome): void {
    this.#metrics?.networkDecided(protocol, outcome);
  }

  async stop(patienceMs: number): Promise<void> {
    const stopped = Promise.allSettled([this.#metrics?.stop(), this.#spans?.stop()]);
    await deadline(stopped, patienceMs).catch(() => {});
    this.#metrics?.abandon();
    this.#spans?.abandon();
  }
}

/**
 * The resource of all metrics and spans: this program, with what OTEL_RESOURCE_ATTRIBUTES and
 * OTEL_SERVICE_NAME say, and nothing about the machine. The random id distinguishes executors that send
 * to the same collector.
 */
function executorResource(): Resource {
  return resourceFromAttributes({
    "service.name": "remex",
    "service.version": VERSION,
    "service.instance.id": crypto.randomUUID(),
  }).merge(
    detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }),
  );
}

/** Starts the telemetry that the environment configures. Invalid variables are logged and ignored. */
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
