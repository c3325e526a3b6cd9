import {
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as traceApi,
  type Tracer,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Method } from "../../protocol/methods.ts";
import { VERSION } from "../../version.ts";
import type { RequestEnd } from "../telemetry.ts";
import type { SamplerName, TracesConfiguration } from "./configuration.ts";
import { OtlpSpanExporter } from "./exporter.ts";

/** A span for each request, sent in batches. */
export class OtlpSpans {
  readonly #provider: TracerProvider;
  readonly #exporter: OtlpSpanExporter;
  readonly #tracer: Tracer;

  constructor({ target, sampler, ratio, ...batches }: TracesConfiguration, resource: Resource) {
    this.#exporter = new OtlpSpanExporter(target);
    this.#provider = new TracerProvider({
      resource,
      sampler: samplerNamed(sampler, ratio),
      spanProcessors: [new BatchSpanProcessor({ exporter: this.#exporter, ...batches })],
    });
    this.#tracer = this.#provider.getTracer("remex", VERSION);
  }

  requestStarted(method: Method | "unknown", trace: unknown): RequestEnd {
    const options = { kind: SpanKind.SERVER, attributes: { method } };
    const span = this.#tracer.startSpan(method, options, contextOf(trace));
    return (result) => {
      span.setAttribute("result", result);
      if (result === "error") span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    };
  }

  /** Sends what is left. */
  async stop(): Promise<void> {
    this.#exporter.stop();
    await this.#provider.shutdown();
  }

  /** Gives up the exports under way. */
  abandon(): void {
    this.#exporter.abandon();
  }
}

/**
 * The context of the client's span, if the request names one (https://www.w3.org/TR/trace-context/). Its
 * `tracestate` is ignored, as it is free text.
 */
function contextOf(trace: unknown): Context {
  if (typeof trace !== "object" || trace === null) return ROOT_CONTEXT;
  const traceparent = "traceparent" in trace ? trace.traceparent : undefined;
  const parent = typeof traceparent === "string" ? parseTraceParent(traceparent) : null;
  return parent === null
    ? ROOT_CONTEXT
    : traceApi.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}

function samplerNamed(name: SamplerName, ratio: number): Sampler {
  switch (name) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}
