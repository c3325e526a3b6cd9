import * as z from "zod/mini";
import { METRICS_REQUEST, TRACES_REQUEST } from "./otlp_schema.ts";
import { decode } from "./protobuf.ts";

const attributes = z.pipe(
  z.optional(z.array(z.object({ key: z.string(), value: z.object({ stringValue: z.string() }) }))),
  z.transform((list) =>
    Object.fromEntries((list ?? []).map(({ key, value }) => [key, value.stringValue]))
  ),
);

const numberPoints = z.object({
  dataPoints: z.array(z.object({ attributes, asInt: z.coerce.number() })),
  aggregationTemporality: z.optional(z.number()),
});

const histogramPoints = z.object({
  dataPoints: z.array(z.object({
    attributes,
    count: z.coerce.number(),
    sum: z.number(),
    bucketCounts: z.array(z.coerce.number()),
    explicitBounds: z.array(z.number()),
  })),
  aggregationTemporality: z.number(),
});

const metric = z.object({
  name: z.string(),
  unit: z.string(),
  gauge: z.optional(numberPoints),
  sum: z.optional(numberPoints),
  histogram: z.optional(histogramPoints),
});

const span = z.object({
  name: z.string(),
  kind: z.number(),
  traceId: z.string(),
  parentSpanId: z.optional(z.string()),
  attributes,
  status: z.optional(z.object({ code: z.optional(z.number()), message: z.optional(z.string()) })),
});

const resource = z.object({ attributes });

const metricsRequest = z.object({
  resourceMetrics: z.array(z.object({
    resource,
    scopeMetrics: z.array(z.object({ metrics: z.array(metric) })),
  })),
});

const tracesRequest = z.object({
  resourceSpans: z.array(z.object({
    resource,
    scopeSpans: z.array(z.object({ spans: z.array(span) })),
  })),
});

export type Metric = z.output<typeof metric>;
export type Span = z.output<typeof span>;

/** What one request told. */
export interface OtlpRequest {
  readonly resource: Readonly<Record<string, string>>;
  readonly metrics: readonly Metric[];
  readonly spans: readonly Span[];
}

/** Reads a request of OTLP over HTTP. @throws when it is not well formed */
export function readOtlpRequest(path: string, contentType: string, body: Uint8Array): OtlpRequest {
  const isMetrics = path.endsWith("/metrics");
  const content = contentType === "application/x-protobuf"
    ? decode(isMetrics ? METRICS_REQUEST : TRACES_REQUEST, body)
    : JSON.parse(new TextDecoder().decode(body));
  if (isMetrics) {
    const { resourceMetrics } = metricsRequest.parse(content);
    const metrics = resourceMetrics.flatMap(({ scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }) => metrics)
    );
    return { resource: resourceMetrics[0]?.resource.attributes ?? {}, metrics, spans: [] };
  }
  const { resourceSpans } = tracesRequest.parse(content);
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  return { resource: resourceSpans[0]?.resource.attributes ?? {}, metrics: [], spans };
}
