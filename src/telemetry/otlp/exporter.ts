import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import {
  AggregationTemporality,
  InstrumentType,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { OtlpSender } from "./sender.ts";
import type { OtlpTarget } from "./target.ts";

/** Which metrics are sent as deltas since the last export. */
export type TemporalityPreference = "cumulative" | "delta" | "lowmemory";

/** Passes what the SDK has collected to a sender. */
class OtlpExporter<T> {
  readonly #sender: OtlpSender;
  readonly #serialize: (items: T) => Uint8Array | undefined;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(target: OtlpTarget, serialize: (items: T) => Uint8Array | undefined) {
    this.#sender = new OtlpSender(target);
    this.#serialize = serialize;
  }

  export(items: T, done: (result: ExportResult) => void): void {
    const sent = this.#send(items).then((arrived) =>
      done({ code: arrived ? ExportResultCode.SUCCESS : ExportResultCode.FAILED })
    );
    this.#pending.add(sent);
    sent.finally(() => this.#pending.delete(sent));
  }

  /** Waits for the exports under way. */
  async forceFlush(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Waits for the exports under way, without retries. */
  async shutdown(): Promise<void> {
    this.stop();
    await this.forceFlush();
    this.abandon();
  }

  /** Ends retries. */
  stop(): void {
    this.#sender.stop();
  }

  /** Gives up the exports under way. */
  abandon(): void {
    this.#sender.abandon();
  }

  async #send(items: T): Promise<boolean> {
    const request = this.#serialize(items);
    return request !== undefined && await this.#sender.send(request);
  }
}

/** Sends spans. */
export class OtlpSpanExporter extends OtlpExporter<ReadableSpan[]> implements SpanExporter {
  constructor(target: OtlpTarget) {
    const serializer = target.encoding === "json" ? JsonTraceSerializer : ProtobufTraceSerializer;
    super(target, (spans) => serializer.serializeRequest(spans));
  }
}

/** Sends metrics. */
export class OtlpMetricExporter extends OtlpExporter<ResourceMetrics>
  implements PushMetricExporter {
  readonly #preference: TemporalityPreference;

  constructor(target: OtlpTarget, preference: TemporalityPreference) {
    const serializer = target.encoding === "json"
      ? JsonMetricsSerializer
      : ProtobufMetricsSerializer;
    super(target, (metrics) => serializer.serializeRequest(metrics));
    this.#preference = preference;
  }

  /**
   * The specification's table, for counters and histograms; gauges have no temporality.
   */
  selectAggregationTemporality(instrument: InstrumentType): AggregationTemporality {
    const sums = instrument === InstrumentType.COUNTER || instrument === InstrumentType.HISTOGRAM;
    return sums && this.#preference !== "cumulative"
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE;
  }
}
