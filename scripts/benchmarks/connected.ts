import { sandboxIntent } from "../../src/cli/exec_sandbox.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";
import { BenchmarkClient } from "./client.ts";
import { type Figure, latency, rate, type Unit } from "./figure.ts";
import { fileThroughput } from "./file_transfer.ts";
import { RawConnection } from "./raw_connection.ts";
import { once, time } from "./statistics.ts";

/** One row of the table, measured over a connection. */
export interface Measurement {
  readonly name: string;
  readonly unit: Unit;
  /** @param url where the client is connected to */
  measure(client: BenchmarkClient, url: string): Promise<Figure>;
}

const OUTPUT_MIB = 1024;
const MIB = 1024 * 1024;
/** A server that stalls is given so long. */
const PATIENCE_MS = 5000;

/** What is measured of any server that speaks the protocol. */
export const connectedMeasurements: readonly Measurement[] = [
  {
    name: "one command, start to closed",
    unit: "ms",
    measure: async (client) => latency(await time(200, () => client.run(["/usr/bin/true"]))),
  },
  {
    name: "the same on a tty",
    unit: "ms",
    measure: async (client) =>
      latency(await time(200, () => client.run(["/usr/bin/true"], { tty: true }))),
  },
  {
    name: "the same sandboxed (workspace-write, no network)",
    unit: "ms",
    measure: async (client) => latency(await sandboxed(client, { tty: false })),
  },
  {
    name: "the same sandboxed on a tty",
    unit: "ms",
    measure: async (client) => latency(await sandboxed(client, { tty: true })),
  },
  {
    name: "the same sandboxed by Landlock",
    unit: "ms",
    measure: async (client) => latency(await sandboxed(client, { tty: false, landlock: true })),
  },
  {
    name: "connecting, to a session",
    unit: "ms",
    measure: async (_, url) => latency(await connecting(url)),
  },
  {
    name: "the same while 50 commands run",
    unit: "ms",
    measure: (client, url) =>
      whileCommandsRun(client, 50, async () => latency(await connecting(url))),
  },
  { name: "200 commands at once", unit: "/s", measure: (client) => atOnce(client, 200) },
  {
    name: "60 sandboxed commands at once",
    unit: "/s",
    measure: (client) => inWorkspace((_, sandbox) => atOnce(client, 60, sandbox)),
  },
  {
    name: "60 sandboxed by Landlock at once",
    unit: "/s",
    measure: (client) =>
      inWorkspace((_, sandbox) => atOnce(client, 60, { ...sandbox, useLegacyLandlock: true })),
  },
  {
    name: "stdin line to its echo",
    unit: "ms",
    measure: async (client) => latency(await echoes(client, 200)),
  },
  { name: "output, one process", unit: "MiB/s", measure: (_, url) => outputThroughput(url) },
  {
    name: "fs/readFile, 8 MiB",
    unit: "MiB/s",
    measure: (_, url) => fileThroughput(url, "fs/readFile"),
  },
  {
    name: "fs/writeFile, 8 MiB",
    unit: "MiB/s",
    measure: (_, url) => fileThroughput(url, "fs/writeFile"),
  },
  smallFileRequest("fs/getMetadata"),
  smallFileRequest("fs/readFile"),
  smallFileRequest("fs/writeFile"),
  smallFileRequest("fs/getMetadata", "sandboxed"),
  smallFileRequest("fs/readFile", "sandboxed"),
  smallFileRequest("fs/writeFile", "sandboxed"),
  {
    name: "fs/readDirectory of /usr/bin",
    unit: "ms",
    measure: async (client) =>
      latency(
        await time(50, () => client.call("fs/readDirectory", { path: "file:///usr/bin" })),
      ),
  },
  {
    name: "requests one after another",
    unit: "/s",
    measure: async (_, url) => {
      using connection = await RawConnection.open(url);
      const request = RawConnection.encode("environment/info", {});
      for (let count = 0; count < 1000; count++) await connection.request(request);
      const milliseconds = await once(async () => {
        for (let count = 0; count < 10_000; count++) await connection.request(request);
      });
      return rate(10_000, milliseconds);
    },
  },
  {
    name: "5,000 requests without waiting",
    unit: "ms",
    measure: async (client) => {
      let answered = 0;
      const request = () => client.call("environment/info", {}).then(() => answered++);
      const milliseconds = await once(() =>
        Promise.race([
          Promise.all(Array.from({ length: 5000 }, request)),
          new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)),
        ])
      );
      return answered === 5000
        ? { kind: "measured", value: milliseconds }
        : { kind: "incomplete", words: `${answered} answered` };
    },
  },
  {
    name: "a request behind a waiting process/read",
    unit: "ms",
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
      return { kind: "measured", value: behind };
    },
  },
];

/** So many commands started without waiting for each other. */
async function atOnce(client: BenchmarkClient, count: number, sandbox?: unknown): Promise<Figure> {
  const options = sandbox === undefined ? {} : { sandbox };
  const all = () =>
    Promise.all(Array.from({ length: count }, () => client.run(["/usr/bin/true"], options)));
  const failed = (await all()).find(({ exitCode }) => exitCode !== 0);
  if (failed !== undefined) throw new Error(`exit code ${failed.exitCode}`);
  return rate(count, await once(all));
}

/** Times from a connection's first packet to the answer that names its session. */
function connecting(url: string): Promise<number[]> {
  return time(100, async () => {
    using _connection = await RawConnection.open(url);
  });
}

/** Does something while so many commands wait for input. */
async function whileCommandsRun<R>(
  client: BenchmarkClient,
  count: number,
  action: () => Promise<R>,
): Promise<R> {
  const ids: string[] = [];
  const started = Promise.withResolvers<void>();
  const ended = Array.from({ length: count }, () =>
    client.run(["/usr/bin/cat"], {
      pipeStdin: true,
      onStarted: (id) => {
        ids.push(id);
        if (ids.length === count) started.resolve();
      },
    }));
  await started.promise;
  try {
    return await action();
  } finally {
    for (const processId of ids) client.call("process/terminate", { processId });
    await Promise.all(ended);
  }
}

/** Output of one process, to a reader that counts bytes and decodes nothing. */
async function outputThroughput(url: string): Promise<Figure> {
  using connection = await RawConnection.open(url);
  const start = RawConnection.encode("process/start", {
    processId: "output",
    argv: ["/usr/bin/head", "-c", String(OUTPUT_MIB * MIB), "/dev/zero"],
    cwd: "file:///",
    env: { PATH: "/usr/bin:/bin" },
    tty: false,
  });
  const milliseconds = await once(() => connection.drain(start, "process/closed"));
  return rate(OUTPUT_MIB, milliseconds);
}

/** A request about a file of a few bytes, which has been asked for before. */
function smallFileRequest(
  method: "fs/getMetadata" | "fs/readFile" | "fs/writeFile",
  sandboxed?: "sandboxed",
): Measurement {
  return {
    name: `small ${sandboxed === undefined ? "" : "sandboxed "}${method}`,
    unit: "ms",
    measure: (_, url) =>
      inWorkspace(async (workspace, sandbox) => {
        using connection = await RawConnection.open(url);
        const file = `${workspace}/file`;
        await Deno.writeTextFile(file, "a few bytes");
        const request = RawConnection.encode(method, {
          path: `file://${file}`,
          ...method === "fs/writeFile" && { dataBase64: btoa("a few bytes more") },
          ...sandboxed !== undefined && { sandbox },
        });
        return latency(
          await time(500, async () => {
            const { text } = await connection.request(request);
            if (!text.includes('"result"')) throw new Error(text);
          }),
        );
      }),
  };
}

/** Times a command that may write a directory of its own and the temporary ones. */
function sandboxed(
  client: BenchmarkClient,
  { tty, landlock = false }: { readonly tty: boolean; readonly landlock?: boolean },
): Promise<number[]> {
  return inWorkspace((_, sandbox) =>
    time(200, async () => {
      const { exitCode } = await client.run(["/usr/bin/true"], {
        tty,
        sandbox: { ...sandbox, useLegacyLandlock: landlock },
      });
      if (exitCode !== 0) throw new Error(`exit code ${exitCode}`);
    })
  );
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
