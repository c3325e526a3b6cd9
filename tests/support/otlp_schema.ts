import type { Schema } from "./protobuf.ts";

/** Numbers of fields from opentelemetry-proto 1.x; those that the executor has no use for are not here. */
const attribute: Schema = {
  1: { name: "key", type: "text" },
  2: { name: "value", type: { 1: { name: "stringValue", type: "text" } } },
};

const resource: Schema = {
  1: { name: "attributes", type: attribute, repeated: true },
  2: { name: "droppedAttributesCount", type: "number" },
};

const scope: Schema = { 1: { name: "name", type: "text" }, 2: { name: "version", type: "text" } };

const numberPoint: Schema = {
  2: { name: "startTimeUnixNano", type: "fixed64" },
  3: { name: "timeUnixNano", type: "fixed64" },
  6: { name: "asInt", type: "fixed64" },
  7: { name: "attributes", type: attribute, repeated: true },
};

const histogramPoint: Schema = {
  2: { name: "startTimeUnixNano", type: "fixed64" },
  3: { name: "timeUnixNano", type: "fixed64" },
  4: { name: "count", type: "fixed64" },
  5: { name: "sum", type: "double" },
  6: { name: "bucketCounts", type: "fixed64", repeated: true },
  7: { name: "explicitBounds", type: "double", repeated: true },
  9: { name: "attributes", type: attribute, repeated: true },
  11: { name: "min", type: "double" },
  12: { name: "max", type: "double" },
};

const metric: Schema = {
  1: { name: "name", type: "text" },
  2: { name: "description", type: "text" },
  3: { name: "unit", type: "text" },
  5: { name: "gauge", type: { 1: { name: "dataPoints", type: numberPoint, repeated: true } } },
  7: {
    name: "sum",
    type: {
      1: { name: "dataPoints", type: numberPoint, repeated: true },
      2: { name: "aggregationTemporality", type: "number" },
      3: { name: "isMonotonic", type: "number" },
    },
  },
  9: {
    name: "histogram",
    type: {
      1: { name: "dataPoints", type: histogramPoint, repeated: true },
      2: { name: "aggregationTemporality", type: "number" },
    },
  },
};

const span: Schema = {
  1: { name: "traceId", type: "hex" },
  2: { name: "spanId", type: "hex" },
  4: { name: "parentSpanId", type: "hex" },
  5: { name: "name", type: "text" },
  6: { name: "kind", type: "number" },
  7: { name: "startTimeUnixNano", type: "fixed64" },
  8: { name: "endTimeUnixNano", type: "fixed64" },
  9: { name: "attributes", type: attribute, repeated: true },
  10: { name: "droppedAttributesCount", type: "number" },
  12: { name: "droppedEventsCount", type: "number" },
  14: { name: "droppedLinksCount", type: "number" },
  15: { name: "status", type: { 3: { name: "code", type: "number" } } },
  16: { name: "flags", type: "number" },
};

/** ExportMetricsServiceRequest. */
export const METRICS_REQUEST: Schema = {
  1: {
    name: "resourceMetrics",
    repeated: true,
    type: {
      1: { name: "resource", type: resource },
      2: {
        name: "scopeMetrics",
        repeated: true,
        type: {
          1: { name: "scope", type: scope },
          2: { name: "metrics", type: metric, repeated: true },
        },
      },
    },
  },
};

/** ExportTraceServiceRequest. */
export const TRACES_REQUEST: Schema = {
  1: {
    name: "resourceSpans",
    repeated: true,
    type: {
      1: { name: "resource", type: resource },
      2: {
        name: "scopeSpans",
        repeated: true,
        type: {
          1: { name: "scope", type: scope },
          2: { name: "spans", type: span, repeated: true },
        },
      },
    },
  },
};
