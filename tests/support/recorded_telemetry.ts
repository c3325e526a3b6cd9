import type { EgressProtocol } from "../../src/egress/policy.ts";
import type { ProcessOutcome } from "../../src/process/process.ts";
import type {
  ActiveCounts,
  NetworkOutcome,
  RequestEnd,
  RequestResult,
  Telemetry,
} from "../../src/telemetry/telemetry.ts";

/** Keeps what it is told. */
export class RecordedTelemetry implements Telemetry {
  readonly outcomes: ProcessOutcome[] = [];
  readonly requests: [method: string, result: RequestResult][] = [];
  readonly connections: string[] = [];
  readonly decisions: [protocol: EgressProtocol, outcome: NetworkOutcome][] = [];
  resumed = 0;
  counts: ActiveCounts | undefined;

  observe(counts: ActiveCounts): void {
    this.counts = counts;
  }

  connectionOpened(transport: string): void {
    this.connections.push(transport);
  }

  requestStarted(method: string): RequestEnd {
    return (result) => void this.requests.push([method, result]);
  }

  sessionResumed(): void {
    this.resumed++;
  }

  networkDecided(protocol: EgressProtocol, outcome: NetworkOutcome): void {
    this.decisions.push([protocol, outcome]);
  }

  processFinished(outcome: ProcessOutcome): void {
    this.outcomes.push(outcome);
  }
}
