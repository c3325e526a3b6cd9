import { assert, assertEquals, assertMatch } from "@std/assert";
import { ended, ListeningExecutor, remex, runToEnd } from "./support/executor.ts";
import { eventually, settled } from "../support/patience.ts";

/** A running `remex forward`. Disposing of it ends it. */
class Forward implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly addresses: string[] = [];
  stderr = "";
  readonly #said: Promise<unknown>;

  private constructor(args: readonly string[], launcher: readonly string[]) {
    this.#child = remex(["forward", ...args], { stderr: "piped", launcher });
    this.#said = Promise.all([
      this.#keep(this.#child.stdout, (text) => this.addresses.push(...text.trim().split("\n"))),
      this.#keep(this.#child.stderr, (text) => this.stderr += text),
    ]);
  }

  static async start(executor: ListeningExecutor, ...ports: string[]): Promise<Forward> {
    return await Forward.startedBy([], executor, ...ports);
  }

  static async startedBy(
    launcher: readonly string[],
    executor: ListeningExecutor,
    ...ports: string[]
  ): Promise<Forward> {
    const forward = new Forward(["--url", executor.url, ...ports], launcher);
    const ready = () => forward.addresses.length === ports.length;
    await eventually(ready, `the ports, not ${forward.stderr}`);
    return forward;
  }

  port(index = 0): number {
    return Number(/^127\.0\.0\.1:(\d+)$/.exec(this.addresses[index] ?? "")?.[1]);
  }

  async connect(): Promise<Deno.TcpConn> {
    return await Deno.connect({ hostname: "127.0.0.1", port: this.port() });
  }

  async endBy(signal: Deno.Signal): Promise<number> {
    this.#child.kill(signal);
    return await this.end();
  }

  async end(): Promise<number> {
    const { code } = await ended(this.#child);
    await this.#said;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.stdin.abort().catch(() => {});
    await this.end();
  }

  async #keep(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) keep(text);
  }
}

/** Serves each connection to a port of the loopback address. Disposing of it ends that. */
function serveTcp(serve: (connection: Deno.TcpConn) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      serve(connection).catch(() => {}).finally(() => {
        if (open.delete(connection)) connection.close();
      });
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) connection.close();
      open.clear();
      await accepting;
    },
  };
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

async function readAll(connection: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    parts.push(buffer.slice(0, count));
  }
  return new Uint8Array(await new Blob(parts.map((part) => part.slice())).arrayBuffer());
}

/** Answers with all that has come once nothing more comes. */
async function echoAtEnd(connection: Deno.TcpConn): Promise<void> {
  await writeAll(connection, await readAll(connection));
  await connection.closeWrite();
}

function content(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 0xff);
}

Deno.test("forward: many connections at once, each end closed on its own", async () => {
  await using executor = await ListeningExecutor.start();
  await using server = serveTcp(echoAtEnd);
  await using forward = await Forward.start(executor, `0:${server.port}`);
  await Promise.all(
    Array.from({ length: 40 }, async (_, seed) => {
      using connection = await forward.connect();
      const sent = content(seed, seed === 0 ? 5_000_000 : 1000 * seed);
      await writeAll(connection, sent);
      await connection.closeWrite();
      const received = await settled(readAll(connection), `the echo ${seed}`);
      assert(received.length === sent.length && received.every((byte, at) => byte === sent[at]));
    }),
  );
  assertEquals(await forward.endBy("SIGTERM"), 0);
  assertEquals(forward.stderr, "");
});

Deno.test("forward: a side that does not read holds the other up, and no other connection", async () => {
  await using executor = await ListeningExecutor.start();
  let sent = 0;
  await using flood = serveTcp(async (connection) => {
    for (;;) sent += await connection.write(new Uint8Array(65536));
  });
  await using server = serveTcp(echoAtEnd);
  await using forward = await Forward.start(executor, `0:${flood.port}`, `0:${server.port}`);
  using idle = await forward.connect();
  await eventually(() => sent > 1_000_000, "the flood to begin");
  for (let round = 0; round < 20; round++) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: forward.port(1) });
    await writeAll(connection, content(round, 10_000));
    await connection.closeWrite();
    assertEquals((await settled(readAll(connection), "the echo")).length, 10_000);
  }
  // What the system and the window hold on the way.
  assert(sent < 64 * 1024 * 1024, `${sent} bytes were sent to nobody`);
  assertEquals(await idle.read(new Uint8Array(10)), 10);
});

Deno.test("forward: what cannot be reached breaks the connection, and is told", async () => {
  await using executor = await ListeningExecutor.start();
  const own = new URL(executor.url).port;
  const nobody = freePort();
  await using forward = await Forward.start(executor, `0:${own}`, `0:${nobody}`);
  for (const index of [0, 1]) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: forward.port(index) });
    const end = await connection.read(new Uint8Array(1)).catch(() => null);
    assertEquals(end, null);
  }
  assertEquals(await forward.endBy("SIGTERM"), 0);
  const [first = "", second = "", ...more] = forward.stderr.split("\n");
  assertMatch(first, new RegExp(`^remex: .*port ${own} there: port ${own} is the executor's own$`));
  assertMatch(second, new RegExp(`^remex: .*port ${nobody} there: .*refused`));
  assertEquals(more, [""]);
});

Deno.test({
  name: "forward: where there are no descriptors left, connections wait until there are",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using executor = await ListeningExecutor.start();
    await using server = serveTcp(echoAtEnd);
    const launcher = ["prlimit", "--nofile=64:64", "--"];
    await using forward = await Forward.startedBy(launcher, executor, `0:${server.port}`);
    const many = await Promise.all(Array.from({ length: 80 }, () => forward.connect()));
    await eventually(() => /here: no connection is accepted/.test(forward.stderr), "the refusal");
    for (const connection of many) connection.close();
    using connection = await forward.connect();
    await writeAll(connection, content(1, 1000));
    await connection.closeWrite();
    assertEquals((await settled(readAll(connection), "the echo")).length, 1000);
    assertEquals(await forward.endBy("SIGTERM"), 0);
    assertMatch(forward.stderr, /^(remex: .*here: no connection is accepted.*\n)+$/);
  },
});

Deno.test("forward: an executor that is lost, a port that is taken, and one that must not", async () => {
  {
    await using executor = await ListeningExecutor.start();
    await using forward = await Forward.start(executor, "0:9");
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = ["forward", "--url", executor.url];
    const taken = await runToEnd([...url, `${listener.addr.port}:9`]);
    assertEquals({ code: taken.code, stdout: taken.stdout }, { code: 1, stdout: "" });
    assertMatch(taken.stderr, /^remex: cannot listen on 127\.0\.0\.1 port \d+: .*in use.*\n$/);
    for (const wrong of ["", "a", "1:2:3", "80:0", "70000:1", "1:65536"]) {
      const run = await runToEnd([...url, "--", wrong]);
      assertEquals(run.code, 2);
      assertMatch(run.stderr, /^remex: `.*` is not LOCAL:REMOTE, two ports, or one\n$/);
    }
    await executor.endBy("SIGTERM");
    assertEquals(await forward.end(), 255);
    assertMatch(
      forward.stderr,
      /^remex: the executor closed the connection: .* is shutting down\n$/,
    );
  }
  await using closed = await ListeningExecutor.start({}, ["--forbid-port-forwarding"]);
  const run = await runToEnd(["forward", "--url", closed.url, "0:9"]);
  assertEquals({ code: run.code, stdout: run.stdout }, { code: 1, stdout: "" });
  assertMatch(run.stderr, /^remex: this executor does not forward ports: .*\n$/);
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
