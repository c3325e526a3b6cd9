import { proxyRequest } from "../../src/cli/exec_network.ts";
import { startExecutor } from "./binary.ts";
import { BenchmarkClient } from "./client.ts";
import { Link } from "./link.ts";
import { quantile } from "./statistics.ts";

const DOWNLOAD_BYTES = 1 << 30;
const DOWNLOADS = 3;
const SHORT_REQUESTS = 8000;
const TUNNELS = 500;
const PROXY = "http://127.0.0.1:3128";

const LOOPBACK = "127.0.0.1";
/** Of the links that it is measured on besides, as tc(8) has them. */
const RATES = ["1gbit", "10gbit"];

/** A server at an address, its argument, that sends as many bytes as a path says. */
const SERVER = `
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 0), backlog=1024)
print(listener.getsockname()[1], flush=True)
block = bytes(1 << 20)
def serve(connection):
    reader = connection.makefile("rb")
    while line := reader.readline():
        count = int(line.split()[1].rsplit(b"/", 1)[1])
        while reader.readline() not in (b"\\r\\n", b""): pass
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % count)
        for sent in range(0, count, len(block)): connection.sendall(block[:count - sent])
while True: threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
`;

/** A client of 8 threads that repeats a short request on one connection each. */
function shortRequests(url: string): string {
  return `
import socket, threading, time
def repeat():
    connection = socket.create_connection(("127.0.0.1", 3128)); reader = connection.makefile("rb")
    for _ in range(${SHORT_REQUESTS / 8}):
        connection.sendall(b"GET ${url} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        while reader.readline() != b"\\r\\n": pass
        reader.read(5)
threads = [threading.Thread(target=repeat) for _ in range(8)]
start = time.time()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(${SHORT_REQUESTS} / (time.time() - start))
`;
}

/** A client that has many tunnels open at once and uses each. */
function tunnels(port: number): string {
  return `
import socket, time
start = time.time()
sockets = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(${TUNNELS})]
for one in sockets: one.sendall(b"CONNECT 127.0.0.1:${port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
for one in sockets: assert b" 200 " in one.recv(99)
for one in sockets: one.sendall(b"GET /5 HTTP/1.1\\r\\n\\r\\n")
for one in sockets: assert one.recv(99)
print((time.time() - start) * 1000)
`;
}

/** Rows about commands that reach a server by name, through the executor's proxy. */
export async function measureNetwork(binary: string): Promise<[string, string][]> {
  const rows: [string, string][] = [];
  {
    await using server = await Server.start(LOOPBACK);
    rows.push(...await measureAgainst(binary, server));
  }
  for (const rate of RATES) {
    await using link = await Link.open(rate);
    if (link === undefined) continue;
    await using server = await Server.start(link.address, (argv) => link.at(argv));
    await using executor = await startExecutor(binary);
    const client = await BenchmarkClient.connect(executor.url);
    rows.push([`1 GiB by CONNECT over a link of ${rate}/s`, await download(client, server)]);
    client.close();
  }
  return rows;
}

/** A server to be reached by commands. */
class Server implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(
    host: string,
    port: number,
    process: Deno.ChildProcess,
    output: ReadableStreamDefaultReader<Uint8Array>,
  ) {
    this.host = host;
    this.port = port;
    this.#process = process;
    this.#output = output;
  }

  /** @param place turns a command line into one that runs elsewhere */
  static async start(
    host: string,
    place: (argv: string[]) => string[] = (argv) => argv,
  ): Promise<Server> {
    const [program = "", ...args] = place(["/usr/bin/python3", "-c", SERVER, host]);
    const process = new Deno.Command(program, { args, stdout: "piped" }).spawn();
    const output = process.stdout.getReader();
    const port = Number(new TextDecoder().decode((await output.read()).value));
    return new Server(host, port, process, output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#output.cancel();
    await this.#process.status;
  }
}

/** Downloads a large file directly and through a tunnel, in turn. */
async function download(client: BenchmarkClient, { host, port }: Server): Promise<string> {
  const networkProxy = await proxyRequest({ allow: [host], deny: [] });
  const url = `http://${host}:${port}/${DOWNLOAD_BYTES}`;
  const curl = ["/usr/bin/curl", "-sS", "-o", "/dev/null", "-w", "%{speed_download}"];
  const [direct, tunnelled]: [number[], number[]] = [[], []];
  for (let round = 0; round < DOWNLOADS; round++) {
    direct.push(await outputOf(client, [...curl, "--noproxy", "*", url], undefined));
    const argv = [...curl, "--proxytunnel", "--proxy", PROXY, url];
    tunnelled.push(await outputOf(client, argv, networkProxy));
  }
  const mebibytes = (rates: number[]) => (quantile(rates, 0.5) / 2 ** 20).toFixed(0);
  return `${mebibytes(tunnelled)} MiB/s; direct ${mebibytes(direct)} MiB/s`;
}

async function measureAgainst(binary: string, server: Server): Promise<[string, string][]> {
  await using executor = await startExecutor(binary);
  const client = await BenchmarkClient.connect(executor.url);
  const downloads = await download(client, server);
  const memory = async () => {
    const status = await Deno.readTextFile(`/proc/${executor.pid}/status`);
    return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024).toFixed(0);
  };
  const before = await memory();
  const networkProxy = await proxyRequest({ allow: [server.host], deny: [] });
  const python = (script: string) =>
    outputOf(client, ["/usr/bin/python3", "-c", script], networkProxy);
  const rate = await python(shortRequests(`http://${server.host}:${server.port}/5`));
  const opened = await python(tunnels(server.port));
  const after = await memory();
  client.close();
  return [
    ["1 GiB by CONNECT", downloads],
    ["short requests by name", `${rate.toFixed(0)}/s`],
    [`${TUNNELS} tunnels, each used once`, `${opened.toFixed(0)} ms`],
    ["resident before and after these", `${before}, ${after} MB`],
  ];
}

/** Runs a command that prints a number. */
async function outputOf(
  client: BenchmarkClient,
  argv: string[],
  networkProxy: Awaited<ReturnType<typeof proxyRequest>> | undefined,
): Promise<number> {
  let text = "";
  const { exitCode } = await client.run(argv, {
    ...networkProxy === undefined ? {} : { networkProxy },
    onOutput: (chunk) => text += atob(chunk),
  });
  if (exitCode !== 0) throw new Error(`${argv[0]} ended with ${exitCode}: ${text}`);
  return Number(text);
}
