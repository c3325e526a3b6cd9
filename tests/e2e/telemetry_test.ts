import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { canRunBubblewrap } from "../sandbox/linux/sandboxed_run.ts";
import { busyDay, TRACEPARENT } from "../support/busy_day.ts";
import { LoggingExecutor } from "../support/logging_executor.ts";
import { OtlpReceiver } from "../support/otlp_receiver.ts";
import { command, run, shell, start } from "./support/commands.ts";
import { ended, remex } from "./support/executor.ts";
import { eventually, settled } from "../support/patience.ts";
import { UPGRADE } from "./support/raw_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** Often enough for a test; without it nothing is told until the end. */
const OFTEN = { OTEL_METRIC_EXPORT_INTERVAL: "100", OTEL_BSP_SCHEDULE_DELAY: "100" };

/** A text that occurs nowhere else. */
function newMark(): string {
  return `mark${crypto.randomUUID().replaceAll("-", "")}`;
}

const INSTRUMENTS = [
  ["exec_server.connections.active", "{connection}", "gauge"],
  ["exec_server.connections.total", "{connection}", "sum"],
  ["exec_server.process.duration", "s", "histogram"],
  ["exec_server.processes.active", "{process}", "gauge"],
  ["exec_server.processes.finished", "{process}", "sum"],
  ["exec_server.request.duration", "s", "histogram"],
  ["exec_server.requests.total", "{request}", "sum"],
  ["exec_server.sessions.active", "{session}", "gauge"],
  ["exec_server.sessions.resumed", "{session}", "sum"],
];

for (const protocol of ["http/json", "http/protobuf"]) {
  for (const temporality of ["cumulative", "delta"]) {
    Deno.test(`every metric and span of a busy day: ${protocol}, ${temporality}`, async () => {
      await using receiver = new OtlpReceiver();
      const mark = newMark();
      const secret = newMark();
      const executor = await LoggingExecutor.start({
        ...OFTEN,
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
        OTEL_EXPORTER_OTLP_HEADERS: `x-secret=${secret}`,
        OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.name=other",
        OTEL_SERVICE_NAME: "executor under test",
        ENVIRONMENT_VALUE: mark,
      });
      const { sessionIds } = await busyDay(executor.url, mark, canRunBubblewrap);
      // The session waits for its client and a command runs, which is told again and again.
      const told = receiver.requests.length;
      await eventually(() => receiver.requests.length > told + 2, "more exports");
      assertEquals(receiver.gauge("exec_server.connections.active").at(-1), { websocket: 0 });
      assertEquals(receiver.gauge("exec_server.sessions.active").at(-1), { "": 1 });
      assertEquals(receiver.gauge("exec_server.processes.active").at(-1), { "": 1 });
      assertEquals(await executor.end(), 0);

      const instruments = receiver.metrics.map(({ name, unit, gauge, sum }) =>
        JSON.stringify([name, unit, gauge ? "gauge" : sum ? "sum" : "histogram"])
      );
      assertEquals([...new Set(instruments)].sort(), INSTRUMENTS.map((one) => JSON.stringify(one)));
      const temporalities = receiver.metrics.map(({ sum, histogram }) =>
        (sum ?? histogram)?.aggregationTemporality
      );
      const expected = temporality === "delta" ? 1 : 2;
      assertEquals(new Set(temporalities), new Set([undefined, expected]));

      assertEquals(receiver.totals("exec_server.connections.total"), { websocket: 2 });
      assertEquals(receiver.totals("exec_server.sessions.resumed"), { "": 1 });
      const finished: Record<string, number> = {
        "exited none": 1,
        "terminated none": 1,
        "shutdown none": 1,
        ...canRunBubblewrap ? { "exited linuxSeccomp": 1 } : {},
      };
      assertEquals(receiver.totals("exec_server.processes.finished"), finished);
      assertEquals(receiver.totals("exec_server.process.duration"), finished);
      const requests: Record<string, number> = {
        "initialize success": 2,
        "process/start success": canRunBubblewrap ? 4 : 3,
        "process/start error": 2,
        "process/write success": 1,
        "process/closeStdin success": 1,
        "process/terminate success": 1,
        "process/read error": 1,
        "unknown error": 1,
        "fs/writeFile success": 1,
        "fs/readFile success": 1,
        "fs/readFile error": 1,
        "http/request error": 1,
      };
      assertEquals(receiver.totals("exec_server.requests.total"), requests);
      assertEquals(receiver.totals("exec_server.request.duration"), requests);
      for (const name of ["connections", "sessions", "processes"]) {
        const last = Object.values(receiver.gauge(`exec_server.${name}.active`).at(-1) ?? {});
        assertEquals(last, [0], name);
      }

      const spans: Record<string, number> = {};
      for (const { name, attributes, kind, status, ...span } of receiver.spans) {
        assertEquals([attributes.method, kind], [name, 2]);
        assertEquals(status?.code === 2, attributes.result === "error");
        assertEquals(status?.message ?? "", "");
        const key = `${name} ${attributes.result}`;
        spans[key] = (spans[key] ?? 0) + 1;
        if (!TRACEPARENT.includes(span.traceId)) assertEquals(span.parentSpanId ?? "", "");
      }
      assertEquals(spans, requests);
      const child = receiver.spans.filter(({ traceId }) => TRACEPARENT.includes(traceId));
      assertEquals(child.map(({ name, parentSpanId }) => [name, parentSpanId]), [
        ["process/start", "b7ad6b7169203331"],
      ]);

      for (const { "service.instance.id": instance, ...resource } of receiver.resources) {
        assertEquals(instance, receiver.resources[0]?.["service.instance.id"]);
        assertEquals(resource, {
          "service.name": "executor under test",
          "service.version": resource["service.version"] ?? "",
          "deployment.environment.name": "test",
        });
      }
      for (const { headers } of receiver.requests) assertEquals(headers.get("x-secret"), secret);
      for (const word of [mark, btoa(mark), ...sessionIds, Deno.cwd()]) {
        assert(!receiver.text.includes(word), `${word} was sent`);
        assert(!executor.text.includes(word), `${word} was logged`);
      }
      assert(!executor.text.includes(secret), "a header was logged");
      assertEquals(executor.lines.filter(({ level }) => level === "error"), []);
    });
  }
}

/** Internet sockets that a process has besides those it listens on. */
function connectionsOf(pid: number): string[] {
  const sockets = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = Deno.readLinkSync(`/proc/${pid}/fd/${name}`).match(/^socket:\[(\d+)\]$/)?.[1];
      if (inode !== undefined) sockets.add(inode);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const LISTENING = "0A";
  return ["tcp", "tcp6", "udp", "udp6"]
    .flatMap((table) => Deno.readTextFileSync(`/proc/net/${table}`).split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode = ""]) => sockets.has(inode) && state !== LISTENING)
    .map((fields) => fields.slice(1, 4).join(" "));
}

Deno.test("nothing is sent unless an endpoint is configured, and wanted", async () => {
  await using receiver = new OtlpReceiver();
  const endpoint = { ...OFTEN, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
  const cases: Record<string, string>[] = [
    { ...OFTEN, OTEL_SERVICE_NAME: "a", OTEL_EXPORTER_OTLP_HEADERS: "a=b", OTEL_DENO: "true" },
    { ...OFTEN, OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    { ...endpoint, OTEL_SDK_DISABLED: "true" },
    { ...endpoint, OTEL_METRICS_EXPORTER: "none", OTEL_TRACES_EXPORTER: "none" },
    { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
  ];
  await Promise.all(cases.map(async (env) => {
    await using executor = await LoggingExecutor.start(env);
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    await run(client, shell("p", "exit 0"));
    await client.close();
    await eventually(() => connectionsOf(executor.pid).length === 0, "no connection");
    assertEquals(await executor.end(), 0);
    const warnings = executor.lines.filter(({ level }) => level === "warn");
    assertEquals(warnings.length, "OTEL_EXPORTER_OTLP_PROTOCOL" in env ? 1 : 0, executor.text);
  }));
  assertEquals(receiver.requests, []);
});

Deno.test("signals have endpoints of their own, and can be compressed", async () => {
  await using metrics = new OtlpReceiver();
  await using traces = new OtlpReceiver();
  const executor = await LoggingExecutor.start({
    OTEL_EXPORTER_OTLP_ENDPOINT: `${traces.endpoint}/prefix/`,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${metrics.endpoint}/own/metrics?a=b`,
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
  });
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  await client.close();
  assertEquals(await executor.end(), 0);
  assertEquals(metrics.requests.map(({ path }) => path), ["/own/metrics"]);
  assertEquals(traces.requests.map(({ path }) => path), ["/prefix/v1/traces"]);
  assertEquals(metrics.totals("exec_server.connections.total"), { websocket: 1 });
  assertEquals(traces.spans.map(({ name }) => name), ["initialize"]);
  assertEquals(traces.requests[0]?.headers.get("content-encoding"), "gzip");
});

Deno.test("connections are told apart by what carries them", async () => {
  await using receiver = new OtlpReceiver();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
  const child = remex(["serve", "--listen", "stdio"], { env });
  await child.stdin.close();
  await child.stdout.cancel();
  assertEquals((await ended(child)).code, 0);
  assertEquals(receiver.totals("exec_server.connections.total"), { stdio: 1 });

  using directory = new TemporaryDirectory();
  const path = `${directory.path}/socket`;
  const executor = await LoggingExecutor.start(env, ["--listen", `unix:${path}`]);
  const connection = await Deno.connect({ transport: "unix", path });
  const head = Object.entries(UPGRADE).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await connection.write(new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: a\r\n${head}\r\n`));
  await eventually(() => executor.logged("connection opened").length === 1, "the connection");
  assertEquals(executor.logged("connection opened")[0]?.transport, "unix");
  connection.close();
  assertEquals(await executor.end(), 0);
  assertEquals(receiver.totals("exec_server.connections.total"), { stdio: 1, unix: 1 });
});

Deno.test("commands do not inherit the headers for the collector", async () => {
  await using receiver = new OtlpReceiver();
  await using executor = await LoggingExecutor.start({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=secret",
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "authorization=secret",
  });
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  const envPolicy = {
    inherit: "all",
    ignoreDefaultExcludes: true,
    exclude: [],
    set: {},
    includeOnly: [],
  };
  const { stdout } = await run(client, command("p", ["env"], { envPolicy }));
  assert(stdout.includes(`OTEL_EXPORTER_OTLP_ENDPOINT=${receiver.endpoint}`), stdout);
  assert(!stdout.includes("secret"), stdout);
});

Deno.test("every process has one outcome, whatever ends it", async () => {
  await using receiver = new OtlpReceiver();
  const executor = await LoggingExecutor.start({
    ...OFTEN,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${receiver.endpoint}/v1/metrics`,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
  });
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  const durations = ["0", "0.01", "0.03", "1000"];
  const ids = Array.from({ length: 200 }, (_, index) => `p${index}`);
  await Promise.all(ids.map(async (processId, index) => {
    const duration = durations[index % durations.length] ?? "0";
    await start(client, command(processId, ["sleep", duration]));
    if (index % 3 === 0) await client.request("process/terminate", { processId });
  }));
  // Some still run, some are ending, some have ended.
  assertEquals(await executor.end(), 0);
  const outcomes = receiver.totals("exec_server.processes.finished");
  const sum = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  assertEquals(sum, ids.length, JSON.stringify(outcomes));
  for (const name of ["terminated none", "shutdown none"]) {
    assertNotEquals(outcomes[name], undefined);
  }
  assertEquals(receiver.gauge("exec_server.processes.active").at(-1), { "": 0 });
});

/** What becomes of an export where there is no collector as it should be. */
const troubles: Record<string, { answer?: () => Response | Promise<Response>; url?: string }> = {
  "answers 500": { answer: () => new Response("no", { status: 500 }) },
  "is overloaded": { answer: () => new Response("no", { status: 503 }) },
  "never answers": { answer: () => new Promise(() => {}) },
  "redirects": { answer: () => Response.redirect("http://127.0.0.1:1/", 307) },
  "is not there": { url: "http://127.0.0.1:1" },
};

for (const [trouble, { answer, url }] of Object.entries(troubles)) {
  Deno.test(`an executor goes on when its collector ${trouble}`, async () => {
    const gone = new AbortController();
    const receiver = new OtlpReceiver(
      answer && (() =>
        Promise.race([
          answer(),
          new Promise<Response>((resolve) =>
            gone.signal.addEventListener("abort", () => resolve(new Response()))
          ),
        ])),
    );
    const password = newMark();
    const executor = await LoggingExecutor.start({
      ...OFTEN,
      OTEL_EXPORTER_OTLP_ENDPOINT: (url ?? receiver.endpoint)
        .replace("://", `://user:${password}@`),
      // Far longer than a shutdown may take.
      OTEL_EXPORTER_OTLP_TIMEOUT: "600000",
    });
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    await run(client, shell("p", "exit 0"));
    if (trouble !== "never answers") {
      const warned = () => executor.logged("telemetry cannot be sent").length === 2;
      await eventually(warned, "one warning for each signal");
    }
    if (url === undefined) await eventually(() => receiver.requests.length > 1, "an attempt");
    await run(client, shell("q", "exit 0"));
    await start(client, shell("r", "exec sleep 1000"));
    assertEquals(await settled(executor.end(), "the end"), 0);
    assert(executor.logged("telemetry cannot be sent").length <= 2, executor.text);
    assert(!executor.text.includes(password), executor.text);
    assertEquals(executor.lines.filter(({ level }) => level === "error"), []);
    for (const { headers } of receiver.requests) {
      assertEquals(headers.get("authorization"), `Basic ${btoa(`user:${password}`)}`);
    }
    gone.abort();
    await receiver[Symbol.asyncDispose]();
  });
}
