import { BenchmarkClient } from "./client.ts";
import { DelayingProxy } from "./delaying_proxy.ts";
import { quantile, time } from "./statistics.ts";

const ROUND_TRIP_MS = 80;
const ROUNDS = 3;
const COMMANDS_A_ROUND = 30;

/** How a client learns that a command is complete. */
type Arm = "final read" | "pushed events";

interface Sample {
  /** Milliseconds from the request to start until the command is known to be complete. */
  readonly completion: number;
  /** Milliseconds of that after the exit was known. */
  readonly completionWait: number;
}

/**
 * Compares asking for the end of a command's output with being told of it, one command after the
 * other, on a path with long round trips. Gives the rows of a table.
 */
export async function measureRoundTrips(url: string): Promise<string[][]> {
  using proxy = new DelayingProxy(url, ROUND_TRIP_MS / 2);
  const samples: Record<Arm, Sample[]> = { "final read": [], "pushed events": [] };
  const reads: Record<Arm, number> = { "final read": 0, "pushed events": 0 };
  for (let round = 0; round < ROUNDS; round++) {
    for (const arm of ["final read", "pushed events"] as const) {
      const client = await BenchmarkClient.connect(proxy.url);
      for (let index = 0; index < COMMANDS_A_ROUND; index++) {
        samples[arm].push(await run(client, arm));
      }
      reads[arm] += client.calls.get("process/read") ?? 0;
      client.close();
    }
  }
  return (["final read", "pushed events"] as const).map((arm) => [
    arm,
    ...[0.5, 0.95].map((share) => milliseconds(samples[arm], "completion", share)),
    ...[0.5, 0.95].map((share) => milliseconds(samples[arm], "completionWait", share)),
    String(reads[arm] / samples[arm].length),
  ]);
}

/**
 * Milliseconds from the start of a cold `remex exec` to its end, of which the path takes two round
 * trips: the upgrade to a WebSocket, then everything else. (The proxy answers the TCP handshake at
 * once.)
 */
export async function measureColdExec(binary: string, url: string): Promise<string> {
  using proxy = new DelayingProxy(url, ROUND_TRIP_MS / 2);
  const samples = await time(20, async () => {
    const args = ["exec", "--url", proxy.url, "--no-stdin", "--", "true"];
    const { code } = await new Deno.Command(binary, { args }).output();
    if (code !== 0) throw new Error(`remex exec ended with ${code}`);
  });
  return `${quantile(samples, 0.5).toFixed(0)} ms`;
}

async function run(client: BenchmarkClient, arm: Arm): Promise<Sample> {
  const started = performance.now();
  let exited = started;
  let read: Promise<unknown> = Promise.resolve();
  await client.run(["/usr/bin/true"], {
    onExited: (processId, afterSeq) => {
      exited = performance.now();
      if (arm === "pushed events") return;
      read = client.call("process/read", { processId, afterSeq, waitMs: 1000 });
    },
  });
  await read;
  const complete = performance.now();
  return { completion: complete - started, completionWait: complete - exited };
}

function milliseconds(samples: readonly Sample[], member: keyof Sample, share: number): string {
  return `${quantile(samples.map((sample) => sample[member]), share).toFixed(1)} ms`;
}
