import { type StartedExecutor, startExecutor } from "./binary.ts";
import { BenchmarkClient } from "./client.ts";
import { once } from "./statistics.ts";

const CONNECTIONS = 200;
const COMMANDS_A_CONNECTION = 10;
const IN_FLIGHT = 1000;
/** Sessions and processes are kept for 30 s; after that the memory is free to be given back. */
const RETENTION_OVER_MS = 40_000;

/** Rows about an executor that has much to do, and what it costs in memory. */
export async function measureLoad(binary: string): Promise<[string, string][]> {
  const [connections, inFlight] = await Promise.all([
    measure(binary, manyConnections),
    measure(binary, manyProcesses),
  ]);
  return [
    [
      `${CONNECTIONS} connections, ${COMMANDS_A_CONNECTION} commands each, one after the other`,
      connections.result,
    ],
    ["resident before, at the most, 40 s after", connections.memory],
    [`${IN_FLIGHT} processes in flight`, inFlight.result],
    ["resident before, at the most, 40 s after that", inFlight.memory],
  ];
}

/** One at a time, but they wait for their memory's return together. */
async function measure(
  binary: string,
  work: (url: string) => Promise<string>,
): Promise<{ result: string; memory: string }> {
  await using executor = await startExecutor(binary);
  const result = turn.then(async () => {
    // What is loaded for a first command is not the load's.
    const client = await BenchmarkClient.connect(executor.url);
    await client.run(["/usr/bin/true"]);
    client.close();
    const before = residentMegabytes(executor, "VmRSS");
    return { before, result: await work(executor.url) };
  });
  turn = result;
  const done = await result;
  const most = residentMegabytes(executor, "VmHWM");
  await new Promise((resolve) => setTimeout(resolve, RETENTION_OVER_MS));
  const after = residentMegabytes(executor, "VmRSS");
  return { result: done.result, memory: `${done.before}, ${most}, ${after} MB` };
}

/** Settles when the machine is free for the next measurement. */
let turn: Promise<unknown> = Promise.resolve();

async function manyConnections(url: string): Promise<string> {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => BenchmarkClient.connect(url)),
  );
  const milliseconds = await once(() =>
    Promise.all(clients.map(async (client) => {
      for (let count = 0; count < COMMANDS_A_CONNECTION; count++) {
        await client.run(["/usr/bin/true"]);
      }
    }))
  );
  for (const client of clients) client.close();
  const commands = CONNECTIONS * COMMANDS_A_CONNECTION;
  return `${(milliseconds / 1000).toFixed(1)} s, ${(commands / milliseconds * 1000).toFixed(0)}/s`;
}

async function manyProcesses(url: string): Promise<string> {
  const client = await BenchmarkClient.connect(url);
  const started: string[] = [];
  const allStarted = Promise.withResolvers<void>();
  const onStarted = (processId: string) => {
    if (started.push(processId) === IN_FLIGHT) allStarted.resolve();
  };
  let ended: Promise<unknown> = Promise.resolve();
  const starting = await once(() => {
    ended = Promise.all(
      Array.from(
        { length: IN_FLIGHT },
        () => client.run(["/usr/bin/cat"], { pipeStdin: true, onStarted }),
      ),
    );
    return Promise.race([allStarted.promise, ended]);
  });
  const ending = await once(() => {
    for (const processId of started) client.call("process/closeStdin", { processId });
    return ended;
  });
  client.close();
  return `started in ${starting.toFixed(0)} ms, ended in ${ending.toFixed(0)} ms`;
}

function residentMegabytes({ pid }: StartedExecutor, field: "VmRSS" | "VmHWM"): string {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const kibibytes = Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]);
  return (kibibytes / 1024).toFixed(0);
}
