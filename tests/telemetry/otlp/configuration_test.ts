import { assertEquals } from "@std/assert";
import { OtelVariables, otlpConfiguration } from "../../../src/telemetry/otlp/configuration.ts";
import { selfSigned } from "../../support/self_signed.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

function read(values: Record<string, string>) {
  const variables = new OtelVariables(values);
  const configuration = otlpConfiguration(variables);
  return { ...configuration, problems: variables.problems };
}

Deno.test("an endpoint is enough; the rest is as the specification has it", () => {
  const { metrics, traces, problems } = read(ENDPOINT);
  const target = {
    encoding: "protobuf",
    headers: [],
    timeoutMs: 10_000,
    gzip: false,
    tls: {},
  };
  assertEquals(problems, []);
  assertEquals({ ...metrics, target: { ...metrics?.target, headers: [] } }, {
    target: { ...target, signal: "metrics", url: "http://collector:4318/v1/metrics" },
    intervalMs: 60_000,
    timeoutMs: 30_000,
    temporality: "cumulative",
  });
  assertEquals({ ...traces, target: { ...traces?.target, headers: [] } }, {
    target: { ...target, signal: "traces", url: "http://collector:4318/v1/traces" },
    sampler: "parentbased_always_on",
    ratio: 1,
    scheduledDelayMillis: 5000,
    exportTimeoutMillis: 30_000,
    maxQueueSize: 2048,
    maxExportBatchSize: 512,
  });
});

Deno.test("signals are switched off one by one or together", () => {
  const cases: [Record<string, string>, metrics: boolean, traces: boolean][] = [
    [{}, false, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: " " }, false, false],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://a" }, true, false],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://a" }, false, true],
    [{ ...ENDPOINT, OTEL_TRACES_EXPORTER: "none" }, true, false],
    [{ ...ENDPOINT, OTEL_METRICS_EXPORTER: "none" }, false, true],
    [{ ...ENDPOINT, OTEL_METRICS_EXPORTER: "otlp", OTEL_TRACES_EXPORTER: "otlp" }, true, true],
    [{ ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" }, false, false],
    [{ ...ENDPOINT, OTEL_SDK_DISABLED: "1" }, true, true],
  ];
  for (const [values, ...expected] of cases) {
    const { metrics, traces, problems } = read(values);
    assertEquals([metrics !== undefined, traces !== undefined], expected, JSON.stringify(values));
    assertEquals(problems, []);
  }
});

Deno.test("what is set for a signal counts more than what is set for all", () => {
  const { metrics, traces } = read({
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector/base/",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://other/as-it-is?a=b",
    OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=with%20space,c=%20",
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "b=2, authorization=Bearer%20x",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
    OTEL_EXPORTER_OTLP_TIMEOUT: "1",
    OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: "2",
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none",
  });
  const told = [metrics?.target, traces?.target].map((target) =>
    target && [target.url, target.encoding, target.timeoutMs, target.gzip, [...target.headers]]
  );
  assertEquals(told, [
    ["https://collector/base/v1/metrics", "json", 2, true, [
      ["a", "1"],
      ["b", "with space"],
      ["c", ""],
    ]],
    ["http://other/as-it-is?a=b", "protobuf", 1, false, [
      ["a", "1"],
      ["authorization", "Bearer x"],
      ["b", "2"],
      ["c", ""],
    ]],
  ]);
});

Deno.test("credentials of a URL become a header", () => {
  const { metrics } = read({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://us%40er:p%3Aw@host/m" });
  assertEquals(metrics?.target.url, "http://host/m");
  assertEquals(metrics?.target.headers.get("authorization"), `Basic ${btoa("us@er:p:w")}`);
});

Deno.test("intervals, temporality and samplers", () => {
  const { metrics, traces, problems } = read({
    ...ENDPOINT,
    OTEL_METRIC_EXPORT_INTERVAL: "100",
    OTEL_METRIC_EXPORT_TIMEOUT: "200",
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "Delta",
    OTEL_TRACES_SAMPLER: "traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
    OTEL_BSP_SCHEDULE_DELAY: "7",
    OTEL_BSP_MAX_QUEUE_SIZE: "5",
  });
  assertEquals(problems, []);
  assertEquals([metrics?.intervalMs, metrics?.timeoutMs, metrics?.temporality], [
    100,
    100,
    "delta",
  ]);
  assertEquals([traces?.sampler, traces?.ratio], ["traceidratio", 0.25]);
  assertEquals([traces?.scheduledDelayMillis, traces?.maxExportBatchSize], [7, 5]);
});

Deno.test("what cannot be done is told by name, never by value, and nothing is sent", () => {
  using directory = new TemporaryDirectory();
  const cases: [variable: string, value: string][] = [
    ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "secret.collector:4318"],
    ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://secret"],
    ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"],
    ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "secret"],
    ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "sec ret=a"],
    ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=sec%0aret"],
    ["OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", `${directory.path}/secret`],
    ["OTEL_METRICS_EXPORTER", "secret"],
  ];
  for (const [variable, value] of cases) {
    const { metrics, traces, problems } = read({ ...ENDPOINT, [variable]: value });
    assertEquals(metrics, undefined, variable);
    assertEquals(traces === undefined, false, variable);
    assertEquals(problems.map((problem) => problem.variable), [variable]);
    assertEquals(JSON.stringify(problems).includes("secret"), false, variable);
  }
});

Deno.test("a number or word that makes no sense leaves the default", () => {
  const wrong = {
    OTEL_METRIC_EXPORT_INTERVAL: "0",
    OTEL_METRIC_EXPORT_TIMEOUT: "a",
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "sometimes",
    OTEL_EXPORTER_OTLP_COMPRESSION: "br",
    OTEL_BSP_SCHEDULE_DELAY: "1.5",
    OTEL_TRACES_SAMPLER: "jaeger_remote",
    OTEL_TRACES_SAMPLER_ARG: "2",
  };
  const { metrics, traces, problems } = read({ ...ENDPOINT, ...wrong });
  const told = new Set(problems.map(({ variable }) => variable));
  assertEquals(told, new Set(Object.keys(wrong)));
  assertEquals([metrics?.intervalMs, metrics?.timeoutMs], [60_000, 30_000]);
  assertEquals([metrics?.temporality, metrics?.target.gzip], ["cumulative", false]);
  assertEquals([traces?.sampler, traces?.ratio], ["parentbased_always_on", 1]);
});

Deno.test("certificates are read from their files, and used together or not at all", async () => {
  using directory = new TemporaryDirectory();
  const { cert, key } = await selfSigned(directory.path);
  const files = {
    OTEL_EXPORTER_OTLP_CERTIFICATE: cert,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: cert,
    OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: key,
  };
  const { traces, metrics, problems } = read({ ...ENDPOINT, ...files });
  const text = Deno.readTextFileSync(cert);
  const tls = { caCerts: [text], cert: text, key: Deno.readTextFileSync(key) };
  assertEquals(traces?.target.tls, tls);
  // The key is the traces' alone.
  assertEquals(metrics, undefined);
  assertEquals(problems.map(({ variable }) => variable), ["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"]);
});

Deno.test("what is wrong for all signals is told once", () => {
  const { problems } = read({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" });
  assertEquals(problems.map(({ variable }) => variable), ["OTEL_EXPORTER_OTLP_PROTOCOL"]);
});
