import { parseArgs } from "node:util";
import { measureBinary, startExecutor } from "./binary.ts";
import { BenchmarkClient } from "./client.ts";
import { connectedMeasurements } from "./connected.ts";
import { measureLoad } from "./load.ts";
import { measureNetwork } from "./network.ts";
import { measureColdExec, measureRoundTrips } from "./round_trips.ts";

const { values } = parseArgs({ options: { binary: { type: "string" }, url: { type: "string" } } });
const { binary = "dist/remex", url } = values;

const rows = new Map<string, string[]>();
await using executor = await startExecutor(binary);
await measureConnected(executor.url);
if (url !== undefined) await measureConnected(url);
for (const [name, value] of await measureBinary(binary)) rows.set(name, [value]);
for (const [name, value] of await measureNetwork(binary)) rows.set(name, [value]);
for (const [name, value] of await measureLoad(binary)) rows.set(name, [value]);

const columns = url === undefined ? ["remex"] : ["remex", url];
printRow(["", ...columns]);
printRow(["---", ...columns.map(() => "---")]);
for (const [name, results] of rows) {
  printRow([name, ...columns.map((_, index) => results[index] ?? "")]);
}

console.log(`\nOne-shot commands at a round trip of 80 ms, 3 × 30 each:\n`);
printRow(["", "completion p50", "p95", "completion wait p50", "p95", "reads a command"]);
printRow(Array.from({ length: 6 }, () => "---"));
for (const row of await measureRoundTrips(executor.url)) printRow(row);

const coldExec = await measureColdExec(binary, executor.url);
console.log(
  `\n\`remex exec -- true\` from its start to its end at a round trip of 80 ms: ${coldExec}`,
);

async function measureConnected(address: string): Promise<void> {
  for (const { name, measure } of connectedMeasurements) {
    // A connection each: a server that one measurement brings to its knees can still take the next.
    const client = await BenchmarkClient.connect(address);
    const result = await measure(client, address).catch((error: Error) =>
      `failed: ${error.message}`
    );
    client.close();
    rows.set(name, [...rows.get(name) ?? [], result]);
  }
}

function printRow(cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
