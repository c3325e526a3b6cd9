import { ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { EgressProtocol } from "../../egress/policy.ts";
import type { ProcessOutcome } from "../../process/process.ts";
import type { Method } from "../../protocol/methods.ts";
import type { SandboxType } from "../../protocol/sandbox.ts";
import { TRANSPORT_KINDS, type TransportKind } from "../../transport/transport.ts";
import { VERSION } from "../../version.ts";
import type { ActiveCounts, NetworkOutcome, RequestResult } from "../telemetry.ts";
import type { MetricsConfiguration } from "./configuration.ts";
import { OtlpMetricExporter } from "./exporter.ts";

/** Upper bounds of buckets, in seconds. */
const SHORT = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const REQUEST_BUCKETS = [...SHORT, 30, 60];
const PROCESS_BUCKETS = [...SHORT, 30, 60, 300, 900, 3600];

/** The executor's instruments, collected and sent at intervals. */
export class OtlpMetrics {
  readonly #provider: MeterProvider;
  readonly #exporter: OtlpMetricExporter;
  readonly #instruments: ReturnType<typeof instruments>;
  readonly #transportsSeen = new Set<TransportKind>();

  constructor(
    { target, intervalMs, timeoutMs, temporality }: MetricsConfiguration,
    resource: Resource,
  ) {
    this.#exporter = new OtlpMetricExporter(target, temporality);
    const reader = new PeriodicExportingMetricReader({
      exporter: this.#exporter,
      exportIntervalMillis: intervalMs,
      exportTimeoutMillis: timeoutMs,
    });
    this.#provider = new MeterProvider({ resource, readers: [reader] });
    this.#instruments = instruments(this.#provider);
  }

  /** Transports that were never used have no count. */
  observe({ connections, sessions, processes }: ActiveCounts): void {
    this.#instruments.activeConnections.addCallback((result) => {
      for (const transport of TRANSPORT_KINDS) {
        if (!this.#transportsSeen.has(transport)) continue;
        result.observe(connections(transport), { transport });
      }
    });
    this.#instruments.activeSessions.addCallback((result) => result.observe(sessions()));
    this.#instruments.activeProcesses.addCallback((result) => result.observe(processes()));
  }

  connectionOpened(transport: TransportKind): void {
    this.#transportsSeen.add(transport);
    this.#instruments.connections.add(1, { transport });
  }

  requestFinished(method: Method | "unknown", result: RequestResult, seconds: number): void {
    this.#instruments.requests.add(1, { method, result });
    this.#instruments.requestDuration.record(seconds, { method, result });
  }

  sessionResumed(): void {
    this.#instruments.sessionsResumed.add(1);
  }

  processFinished(result: ProcessOutcome, sandbox: SandboxType, seconds: number): void {
    this.#instruments.processes.add(1, { result, sandbox });
    this.#instruments.processDuration.record(seconds, { result, sandbox });
  }

  networkDecided(protocol: EgressProtocol, result: NetworkOutcome): void {
    this.#instruments.networkDecisions.add(1, { protocol, result });
  }

  /** Collects and sends once more. */
  async stop(): Promise<void> {
    this.#exporter.stop();
    await this.#provider.shutdown();
  }

  /** Gives up the exports under way. */
  abandon(): void {
    this.#exporter.abandon();
  }
}

function instruments(provider: MeterProvider) {
  const meter = provider.getMeter("remex", VERSION);
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`exec_server.${name}`, { unit, description, valueType: ValueType.INT });
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`exec_server.${name}`, {
      unit,
      description,
      valueType: ValueType.INT,
    });
  const seconds = (name: string, explicitBucketBoundaries: number[], description: string) =>
    meter.createHistogram(`exec_server.${name}`, {
      unit: "s",
      description,
      advice: { explicitBucketBoundaries },
    });
  return {
    activeConnections: gauge("connections.active", "{connection}", "Clients that are connected"),
    connections: counter("connections.total", "{connection}", "Clients that have connected"),
    requests: counter("requests.total", "{request}", "Requests that have come out"),
    requestDuration: seconds(
      "request.duration",
      REQUEST_BUCKETS,
      "From a request to its answer, waiting asked for by the client included",
    ),
    activeSessions: gauge("sessions.active", "{session}", "Sessions, connected or waiting"),
    sessionsResumed: counter("sessions.resumed", "{session}", "Clients that came back"),
    activeProcesses: gauge("processes.active", "{process}", "Processes that run"),
    processes: counter("processes.finished", "{process}", "Processes that have ended"),
    networkDecisions: counter(
      "network.decisions.total",
      "{decision}",
      "Connections by name that commands asked for",
    ),
    processDuration: seconds(
      "process.duration",
      PROCESS_BUCKETS,
      "From the start of a process to its end",
    ),
  };
}
