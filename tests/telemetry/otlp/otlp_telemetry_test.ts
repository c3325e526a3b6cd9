import { assertEquals } from "@std/assert";
import { OtelVariables, otlpConfiguration } from "../../../src/telemetry/otlp/configuration.ts";
import { OtlpTelemetry } from "../../../src/telemetry/otlp/otlp_telemetry.ts";
import { TRACEPARENT } from "../../support/busy_day.ts";
import { OtlpReceiver } from "../../support/otlp_receiver.ts";

const LONG_MS = 3_600_000;

function telemetryFor(receiver: OtlpReceiver, more: Record<string, string> = {}): OtlpTelemetry {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
  return new OtlpTelemetry(otlpConfiguration(new OtelVariables({ ...endpoint, ...more })));
}

Deno.test("a request belongs to the trace that it names, if it names one", async () => {
  await using receiver = new OtlpReceiver();
  const telemetry = telemetryFor(receiver);
  const [, traceId, spanId] = TRACEPARENT.split("-");
  const traces = [
    { traceparent: TRACEPARENT },
    undefined,
    null,
    TRACEPARENT,
    [TRACEPARENT],
    {},
    { traceparent: 5 },
    { traceparent: `${TRACEPARENT}x` },
    { traceparent: TRACEPARENT.replace(/[1-9a-f]/g, "0") },
  ];
  for (const trace of traces) telemetry.requestStarted("process/read", trace)("success");
  await telemetry.stop(LONG_MS);
  assertEquals(receiver.spans.map((span) => span.parentSpanId ?? ""), [
    spanId,
    ...traces.slice(1).map(() => ""),
  ]);
  assertEquals(receiver.spans.map((span) => span.traceId === traceId), [
    true,
    ...traces.slice(1).map(() => false),
  ]);
});

Deno.test("spans are sampled as asked, metrics tell of every request", async () => {
  const unsampled = { traceparent: TRACEPARENT.replace(/01$/, "00") };
  const cases: [sampler: Record<string, string>, spans: number][] = [
    [{}, 2],
    [{ OTEL_TRACES_SAMPLER: "always_on" }, 3],
    [{ OTEL_TRACES_SAMPLER: "always_off" }, 0],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 0],
    [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 1],
    [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 1],
  ];
  for (const [sampler, spans] of cases) {
    await using receiver = new OtlpReceiver();
    const telemetry = telemetryFor(receiver, sampler);
    for (const trace of [undefined, { traceparent: TRACEPARENT }, unsampled]) {
      telemetry.requestStarted("fs/open", trace)("error");
    }
    await telemetry.stop(LONG_MS);
    assertEquals(receiver.spans.length, spans, JSON.stringify(sampler));
    assertEquals(receiver.totals("exec_server.requests.total"), { "fs/open error": 3 });
  }
});

Deno.test("gauges are in every export, also when nothing has happened in between", async () => {
  await using receiver = new OtlpReceiver();
  const telemetry = telemetryFor(receiver, {
    OTEL_METRIC_EXPORT_INTERVAL: "20",
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
  });
  let asked = 0;
  const enough = Promise.withResolvers<void>();
  telemetry.observe({
    connections: () => asked,
    sessions: () => {
      if (asked++ === 4) enough.resolve();
      return asked;
    },
    processes: () => 0,
  });
  telemetry.connectionOpened("unix");
  await enough.promise;
  await telemetry.stop(LONG_MS);
  const sessions = receiver.gauge("exec_server.sessions.active").map((gauge) => gauge[""]);
  assertEquals(sessions, Array.from({ length: asked }, (_, index) => index + 1));
  assertEquals(receiver.gauge("exec_server.processes.active").length, asked);
  assertEquals(receiver.gauge("exec_server.connections.active").length, asked);
  assertEquals(receiver.totals("exec_server.connections.total"), { unix: 1 });
});
