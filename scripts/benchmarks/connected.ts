import { sandboxIntent } from "../../src/cli/exec_sandbox.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";
import { BenchmarkClient } from "./client.ts";
import { fileThroughput } from "./file_transfer.ts";
import { once, quantile, time } from "./statistics.ts";

/** One row of the table, measured over a connection. */
export interface Measurement {
  readonly name: string;
  /** @param url where the client is connected to */
  measure(client: BenchmarkClient, url: string): Promise<string>;
}

const OUTPUT_BYTES = 1024 * 1024 * 1024;
const MIB = 1024 * 1024;

/** What is measured of any server that speaks the protocol. */
export const connectedMeasurements: readonly Measurement[] = [
  {
    name: "one command, start to closed",
    measure: async (client) => latency(await time(200, () => client.run(["/usr/bin/true"]))),
  },
  {
    name: "the same on a tty",
    measure: async (client) =>
      latency(await time(200, () => client.run(["/usr/bin/true"], { tty: true }))),
  },
  {
    name: "the same sandboxed (workspace-write, no network)",
    measure: async (client) => latency(await sandboxed(client, false)),
  },
  {
    name: "the same sandboxed on a tty",
    measure: async (client) => latency(await sandboxed(client, true)),
  },
  { name: "stdin line to its echo", measure: async (client) => latency(await echoes(client, 200)) },
  {
    name: "output, one process",
    measure: async (client) => {
      let bytes = 0;
      const milliseconds = await once(async () => {
        const argv = ["/usr/bin/head", "-c", String(OUTPUT_BYTES), "/dev/zero"];
        bytes = (await client.run(argv)).outputBytes;
      });
      if (bytes !== OUTPUT_BYTES) throw new Error(`${bytes} bytes arrived of ${OUTPUT_BYTES}`);
      return `${(bytes / MIB / milliseconds * 1000).toFixed(0)} MiB/s`;
    },
  },
  {
    name: "fs/readFile, 8 MiB",
    measure: (_, url) => fileThroughput(url, "fs/readFile"),
  },
  {
    name: "fs/writeFile, 8 MiB",
    measure: (_, url) => fileThroughput(url, "fs/writeFile"),
  },
  ...smallRequests(false),
  ...smallRequests(true),
  {
    name: "fs/readDirectory of a thousand names",
    measure: async (client) => latency(await listings(client)),
  },
  {
    name: "requests one after another",
    measure: async (client) => {
      const request = () => client.call("environment/info", {});
      await time(1000, request);
      const milliseconds = await once(() => time(20_000, request));
      return `${(20_000 / milliseconds * 1000).toFixed(0)}/s`;
    },
  },
  {
    name: "200 commands at once",
    measure: async (client) => {
      const milliseconds = await once(() =>
        Promise.all(Array.from({ length: 200 }, () => client.run(["/usr/bin/true"])))
      );
      return `${(200 / milliseconds * 1000).toFixed(0)}/s`;
    },
  },
  {
    name: "5,000 requests without waiting",
    measure: async (client) => {
      let answered = 0;
      const request = () => client.call("environment/info", {}).then(() => answered++);
      const milliseconds = await once(() =>
        Promise.race([
          Promise.all(Array.from({ length: 5000 }, request)),
          new Promise((resolve) => setTimeout(resolve, 5000)),
        ])
      );
      return answered === 5000
        ? `all, in ${milliseconds.toFixed(0)} ms`
        : `${answered} answered in ${milliseconds.toFixed(0)} ms`;
    },
  },
  {
    name: "a request behind a waiting process/read",
    measure: async (client) => {
      let waiting: Promise<unknown> = Promise.resolve();
      let behind = NaN;
      await client.run(["/usr/bin/sleep", "1"], {
        onStarted: (processId) => {
          waiting = client.call("process/read", { processId, waitMs: 900 });
          once(() => client.call("environment/info", {})).then((value) => behind = value);
        },
      });
      await waiting;
      return `${behind.toFixed(2)} ms`;
    },
  },
];

/** Times a command that may write a directory of its own and the temporary ones. */
function sandboxed(client: BenchmarkClient, tty: boolean): Promise<number[]> {
  return inWorkspace((_, sandbox) =>
    time(200, async () => {
      const { exitCode } = await client.run(["/usr/bin/true"], { tty, sandbox });
      if (exitCode !== 0) throw new Error(`exit code ${exitCode}`);
    })
  );
}

/** Requests about a file of a few bytes, which has been there and asked for before. */
function smallRequests(isSandboxed: boolean): Measurement[] {
  const dataBase64 = "YSBmZXcgYnl0ZXM=";
  const methods = [
    { method: "fs/getMetadata", more: {} },
    { method: "fs/readFile", more: {} },
    { method: "fs/writeFile", more: { dataBase64 } },
  ];
  return methods.map(({ method, more }) => ({
    name: `small ${isSandboxed ? "sandboxed " : ""}${method}`,
    measure: (client) =>
      inWorkspace(async (workspace, sandbox) => {
        const file = `${workspace}/file`;
        await Deno.writeTextFile(file, "a few bytes");
        const params = { path: `file://${file}`, ...more, ...(isSandboxed && { sandbox }) };
        const request = () => client.call(method, params);
        await time(50, request);
        return latency(await time(1000, request));
      }),
  }));
}

/** Times listing a directory of a thousand files. */
function listings(client: BenchmarkClient): Promise<number[]> {
  return inWorkspace(async (workspace) => {
    for (let index = 0; index < 1000; index++) {
      await Deno.writeTextFile(`${workspace}/a-file-with-a-name-${index}`, "");
    }
    const list = () => client.call("fs/readDirectory", { path: `file://${workspace}` });
    await time(20, list);
    return await time(100, list);
  });
}

/** Works in a directory of its own, which may be written in the sandbox that goes with it. */
async function inWorkspace<R>(
  work: (workspace: string, sandbox: Awaited<ReturnType<typeof sandboxIntent>>) => Promise<R>,
): Promise<R> {
  const workspace = await Deno.makeTempDir({ prefix: "remex-bench-" });
  try {
    const uri = PathUri.fromNativePath(workspace);
    return await work(workspace, await sandboxIntent("workspace-write", uri, []));
  } finally {
    await Deno.remove(workspace, { recursive: true });
  }
}

/** Times from a line of input to its echo. */
async function echoes(client: BenchmarkClient, times: number): Promise<number[]> {
  const samples: number[] = [];
  let written = 0;
  let processId = "";
  const write = () => {
    written = performance.now();
    const writeId = String(samples.length);
    client.call("process/write", { processId, chunk: "bGluZQo=", writeId });
  };
  await client.run(["/usr/bin/cat"], {
    pipeStdin: true,
    onStarted: (id) => {
      processId = id;
      write();
    },
    onOutput: () => {
      samples.push(performance.now() - written);
      if (samples.length < times) write();
      else client.call("process/terminate", { processId });
    },
  });
  return samples;
}

function latency(samples: readonly number[]): string {
  return `${quantile(samples, 0.5).toFixed(2)} ms (p95 ${quantile(samples, 0.95).toFixed(2)})`;
}
