import type { Row } from "./chart.ts";
import { latency } from "./figure.ts";

/** A started executor. */
export interface StartedExecutor extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** Starts the binary and waits for the line with its URL. */
export async function startExecutor(binary: string): Promise<StartedExecutor> {
  const process = new Deno.Command(binary, { args: ["serve"], stdout: "piped" }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  return {
    url: new TextDecoder().decode(value).trim(),
    pid: process.pid,
    async [Symbol.asyncDispose]() {
      process.kill("SIGTERM");
      await reader.cancel();
      await process.status;
    },
  };
}

/** Rows about the program itself. */
export async function measureBinary(binary: string): Promise<Row[]> {
  const starts: number[] = [];
  for (let round = 0; round < 20; round++) starts.push(await startupTime(binary));
  await using executor = await startExecutor(binary);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const status = await Deno.readTextFile(`/proc/${executor.pid}/status`);
  const resident = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  const size = (await Deno.stat(binary)).size / 1e6;
  return [
    { name: "start to ready", unit: "ms", figures: [latency(starts)] },
    { name: "resident, idle", unit: "MB", figures: [{ kind: "measured", value: resident }] },
    { name: "binary", unit: "MB", figures: [{ kind: "measured", value: size }] },
  ];
}

/** Milliseconds from the start to the line that tells the URL. */
async function startupTime(binary: string): Promise<number> {
  const start = performance.now();
  await using _executor = await startExecutor(binary);
  return performance.now() - start;
}
