/**
 * Measures the compiled binary and, with --peer URL, other servers that speak the protocol: row by
 * row and in turn, so that a machine that gets slower meanwhile is slower for all of them.
 */
import { parseArgs } from "node:util";
import { measureBinary, startExecutor } from "./binary.ts";
import { comparisonChart, type Row } from "./chart.ts";
import { BenchmarkClient } from "./client.ts";
import { connectedMeasurements, type Measurement } from "./connected.ts";
import { measureCopying } from "./copying.ts";
import { type Figure, figureText, ratio } from "./figure.ts";
import { measureLoad } from "./load.ts";
import { measureNetwork } from "./network.ts";
import { measureColdExec, measureRoundTrips } from "./round_trips.ts";
import { measureTools } from "./tools.ts";

const { values } = parseArgs({
  options: {
    binary: { type: "string", default: "dist/remex" },
    /** `NAME=URL` or `URL`, once for each other server. */
    peer: { type: "string", multiple: true, default: [] },
    /** Measure only rows whose names contain this. */
    only: { type: "string" },
    /** Measure `remex cp` beside scp and rsync, and nothing else. */
    copying: { type: "boolean", default: false },
    /** MiB of the large file that is copied. */
    "large-mib": { type: "string", default: "2048" },
    /** Small files that are copied. */
    "small-files": { type: "string", default: "5000" },
    /** Measure git, npm and the like outside of a sandbox and in both, and nothing else. */
    tools: { type: "boolean", default: false },
    /** How often each is copied, or run. */
    rounds: { type: "string", default: "3" },
    /** Where to write all figures, as JSON. */
    json: { type: "string" },
    /** Where to write the chart, as SVG. */
    chart: { type: "string" },
  },
});
const { binary, only } = values;

if (values.copying) {
  const sizes = {
    largeMiB: Number(values["large-mib"]),
    smallFiles: Number(values["small-files"]),
    rounds: Number(values.rounds),
  };
  for await (const row of measureCopying(binary, sizes)) printRow(row);
  Deno.exit();
}

if (values.tools) {
  for await (const row of measureTools(binary, Number(values.rounds))) printRow(row);
  Deno.exit();
}

/** A server under measurement. */
interface Server {
  readonly name: string;
  readonly url: string;
}

await using executor = await startExecutor(binary);
const servers: Server[] = [{ name: "remex", url: executor.url }, ...values.peer.map(peerNamed)];
const rows: Row[] = [];
for (const measurement of connectedMeasurements) {
  const { name, unit } = measurement;
  if (only !== undefined && !name.includes(only)) continue;
  const figures: Figure[] = [];
  for (const server of servers) figures.push(await measured(measurement, server));
  rows.push({ name, unit, figures });
}
if (only === undefined) rows.push(...await measureBinary(binary));

const columns = servers.map(({ name }) => name);
printRow(["", ...columns, ...columns.slice(1).map((name) => `times as good as ${name}`)]);
printRow(["---", ...columns.map(() => "---"), ...columns.slice(1).map(() => "---")]);
for (const { name, unit, figures } of rows) {
  const [own, ...others] = figures;
  const ratios = others.map((other) => ratio(own, other, unit)?.toFixed(2) ?? "");
  printRow([name, ...columns.map((_, index) => figureText(figures[index], unit)), ...ratios]);
}
if (values.json !== undefined) {
  const report = { date: new Date().toISOString(), columns, rows };
  await Deno.writeTextFile(values.json, JSON.stringify(report, null, 2) + "\n");
}
if (values.chart !== undefined) {
  await Deno.writeTextFile(values.chart, comparisonChart(columns, rows));
}
if (only === undefined) await measureTheRest();

/** What only remex is asked for: behaviour under load, and on a path with long round trips. */
async function measureTheRest(): Promise<void> {
  console.log("\nUnder load:\n");
  printRow(["", "remex"]);
  printRow(["---", "---"]);
  for (const row of await measureLoad(binary)) printRow(row);
  for (const row of await measureNetwork(binary)) printRow(row);

  console.log("\nOne-shot commands at a round trip of 80 ms, 3 × 30 each:\n");
  printRow(["", "completion p50", "p95", "completion wait p50", "p95", "reads a command"]);
  printRow(Array.from({ length: 6 }, () => "---"));
  for (const row of await measureRoundTrips(executor.url)) printRow(row);

  const coldExec = await measureColdExec(binary, executor.url);
  console.log(
    `\n\`remex exec -- true\` from its start to its end at a round trip of 80 ms: ${coldExec}`,
  );
}

async function measured(measurement: Measurement, { url }: Server): Promise<Figure> {
  // A connection each: a server that one measurement brings to its knees can still take the next.
  const client = await BenchmarkClient.connect(url);
  try {
    return await measurement.measure(client, url);
  } catch (error) {
    return { kind: "incomplete", words: error instanceof Error ? error.message : String(error) };
  } finally {
    client.close();
  }
}

function peerNamed(text: string): Server {
  const [, name, url] = /^(?:([^=:]+)=)?(.+)$/.exec(text) ?? [];
  if (url === undefined) throw new TypeError(`--peer ${text} is not NAME=URL`);
  return { name: name ?? url, url };
}

function printRow(cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
