import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { execToEnd } from "../support/exec_run.ts";
import { ListeningExecutor, runToEnd } from "../support/executor.ts";
import { connectWebSocket } from "../support/websocket_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { REMEX_BIN } from "../support/executor.ts";

/** With a file of names of its own, in a mount namespace. */
function withHosts(directory: TemporaryDirectory, lines: string[]): string[] {
  const file = directory.write("hosts", lines.map((line) => `${line}\n`).join(""), 0o644);
  const script = `mount --bind ${file} /etc/hosts && exec "$@"`;
  return ["unshare", "-rm", "sh", "-c", script, "sh"];
}

const BOTH = ["::1 localhost two.localhost", "127.0.0.1 localhost two.localhost"];

function namespacesAndIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return new Deno.Command("unshare", { args: ["-rm", "true"] }).outputSync().success;
  } catch {
    return false;
  }
}

const ignore = Deno.build.os !== "linux" || !namespacesAndIpv6();

async function execIn(launcher: string[], args: string[]) {
  const [program = "", ...rest] = launcher;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...rest, REMEX_BIN, "exec", ...args],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

for (const listening of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `a name with two addresses leads to the executor that listens on ${listening} alone`,
    ignore,
    async fn() {
      using directory = new TemporaryDirectory();
      const host = listening.includes(":") ? `[${listening}]` : listening;
      await using executor = await ListeningExecutor.start({}, ["--listen", `ws://${host}:0`]);
      const { port } = new URL(executor.url);
      for (const lines of [BOTH, BOTH.toReversed()]) {
        const run = await execIn(withHosts(directory, lines), [
          ...["--url", `ws://two.localhost:${port}`, "--", "echo", "there"],
        ]);
        assertEquals(run, { code: 0, stdout: "there\n", stderr: "" });
      }
    },
  });

  Deno.test({
    name: `http/request reaches a server that listens on ${listening} alone by a name with two`,
    ignore,
    async fn() {
      using directory = new TemporaryDirectory();
      const web = Deno.serve(
        { hostname: listening, port: 0, onListen: () => {} },
        () => new Response("hello"),
      );
      for (const lines of [BOTH, BOTH.toReversed()]) {
        const launcher = withHosts(directory, lines);
        await using executor = await ListeningExecutor.start({ launcher });
        await using client = await connectWebSocket(executor.url);
        await client.initialize();
        const answer = await client.request("http/request", {
          requestId: "r",
          method: "GET",
          url: `http://two.localhost:${web.addr.port}/`,
          headers: [],
        });
        assertObjectMatch(answer, { result: { status: 200 } });
      }
      await web.shutdown();
    },
  });
}

for (const listening of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `telemetry reaches a collector that listens on ${listening} alone by a name with two`,
    ignore,
    async fn() {
      using directory = new TemporaryDirectory();
      const paths = new Set<string>();
      const collector = Deno.serve(
        { hostname: listening, port: 0, onListen: () => {} },
        async (request) => {
          paths.add(new URL(request.url).pathname);
          await request.bytes();
          return new Response();
        },
      );
      for (const lines of [BOTH, BOTH.toReversed()]) {
        paths.clear();
        const launcher = withHosts(directory, lines);
        const env = {
          PATH: "/usr/bin:/bin",
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://two.localhost:${collector.addr.port}`,
        };
        await using executor = await ListeningExecutor.start({ launcher, env });
        await executor.endBy("SIGTERM");
        assert(paths.has("/v1/metrics"), [...paths].join());
      }
      await collector.shutdown();
    },
  });
}

Deno.test({
  name: "an executor that listens on a name listens on all of its addresses",
  ignore,
  async fn() {
    using directory = new TemporaryDirectory();
    const launcher = withHosts(directory, BOTH);
    await using executor = await ListeningExecutor.start({ launcher }, [
      ...["--listen", "ws://localhost:0"],
    ]);
    assertMatch(executor.url, /^ws:\/\/localhost:\d+$/);
    const { port } = new URL(executor.url);
    for (const host of ["127.0.0.1", "[::1]"]) {
      const run = await execToEnd(["--url", `ws://${host}:${port}`, "--", "echo", host]);
      assertEquals(run, { code: 0, stdout: `${host}\n`, stderr: "" });
    }
  },
});

Deno.test({
  name: "an address of a name that another program has keeps an executor from starting",
  ignore,
  async fn() {
    using directory = new TemporaryDirectory();
    using taken = Deno.listen({ hostname: "::1", port: 0 });
    const launcher = withHosts(directory, BOTH.toReversed());
    const listen = `ws://localhost:${taken.addr.port}`;
    const { code, stdout, stderr } = await runToEnd(["serve", "--listen", listen], "", {
      launcher,
    });
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^remex: --listen: cannot listen on .*another program listens there.*\n$/);
  },
});

Deno.test({
  name: "localhost is refused without a token where it leads to an address that others reach",
  ignore,
  async fn() {
    using directory = new TemporaryDirectory();
    const launcher = withHosts(directory, ["0.0.0.0 localhost"]);
    const { code, stdout, stderr } = await runToEnd(
      ["serve", "--listen", "ws://localhost:0"],
      "",
      { launcher },
    );
    assertEquals([code, stdout], [2, ""]);
    assert(stderr.includes("localhost has an address that others can reach: 0.0.0.0"), stderr);
  },
});
