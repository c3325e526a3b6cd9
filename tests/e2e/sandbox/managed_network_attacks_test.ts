import { assertEquals, assertMatch } from "@std/assert";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { command, run } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { exists } from "../support/files.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { connectWebSocket } from "../support/websocket_client.ts";
import { serveLoopback } from "./support/http_proxy.ts";
import { managed } from "./support/managed.ts";
import { python, pythonActions } from "./support/python.ts";
import { enclosedIn, testSandboxed } from "./support/sandboxed.ts";

/** This machine's own addresses besides 127.0.0.1. */
const OTHER_ADDRESSES = [
  "127.0.0.2",
  ...Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv4" && !address.startsWith("127."))
    .map(({ address }) => address),
];

/** Where there is no IPv6 there are no such sockets. */
const HAS_IPV6 = exists("/proc/net/if_inet6");

testSandboxed("managed network: nothing but the named ports is reached", async (scene) => {
  await using named = serveLoopback(() => Promise.resolve());
  await using other = serveLoopback(() => Promise.resolve());
  using everywhere = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = everywhere.addr;
  const allowed = [
    `connect(("127.0.0.1", ${named.port}))`,
    `connect(("localhost", ${named.port}))`,
    ...HAS_IPV6 ? [`connect(("::ffff:127.0.0.1", ${named.port}), socket.AF_INET6)`] : [],
  ];
  const denied = [
    `connect(("127.0.0.1", ${other.port}))`,
    ...HAS_IPV6 ? [`connect(("::ffff:127.0.0.1", ${other.port}), socket.AF_INET6)`] : [],
    ...OTHER_ADDRESSES.map((address) => `connect(("${address}", ${port}))`),
  ];
  const reachable = [...allowed, ...denied];
  const bare = await scene.run(pythonActions(reachable), { sandbox: null });
  assertEquals(bare.stdout, "ok\n".repeat(reachable.length));
  const nowhere = [
    `connect(("192.0.2.1", ${named.port}))`,
    `connect(("::1", ${named.port}), socket.AF_INET6)`,
    `connect(("2001:db8::1", ${named.port}), socket.AF_INET6)`,
  ];
  const script = pythonActions([...reachable, ...nowhere]);
  for (const binding of [false, true]) {
    const { stdout, stderr } = await scene.run(script, managed([named.port, port], binding));
    assertEquals(stderr, "");
    const outcomes = stdout.split("\n").slice(0, -1);
    assertEquals(outcomes.slice(0, allowed.length), allowed.map(() => "ok"));
    const others = outcomes.slice(allowed.length);
    assertEquals(others.length, denied.length + nowhere.length);
    for (const outcome of others) {
      assertMatch(outcome, /^(ECONNREFUSED|ENETUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT|EHOSTUNREACH)$/);
    }
  }
});

testSandboxed("managed network: only TCP connections are made", async (scene) => {
  await using named = serveLoopback(() => Promise.resolve());
  const socketPath = `${scene.workspace}/socket`;
  using unix = Deno.listen({ transport: "unix", path: socketPath });
  Deno.chmodSync(unix.addr.path, 0o777);
  const abstractName = `\0remex-managed-${Deno.pid}`;
  using abstract = Deno.listen({ transport: "unix", path: abstractName });
  assertEquals(abstract.addr.transport, "unix");
  const unixTries = [
    `connect("${socketPath}", socket.AF_UNIX)`,
    `connect("\\0remex-managed-${Deno.pid}", socket.AF_UNIX)`,
  ];
  const tries = [
    ...unixTries,
    `socket.socket(socket.AF_INET, socket.SOCK_DGRAM)`,
    `socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)`,
    `socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)`,
    `socket.socket(socket.AF_PACKET, socket.SOCK_RAW)`,
    `socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)`,
    `socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)`,
    `socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)`,
    `socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)`,
    `socket.socket().sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", ${named.port}))`,
    `socket.socket().bind(("127.0.0.1", 0))`,
    `socket.socket().listen()`,
    `call(425, 1, ctypes.create_string_buffer(120))`,
    `call(272, 0x40000000)`,
    `call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)`,
  ];
  const bare = await scene.run(pythonActions(unixTries), { sandbox: null });
  assertEquals(bare.stdout, "ok\n".repeat(unixTries.length));
  const { stdout, stderr } = await scene.run(pythonActions(tries), managed([named.port]));
  assertEquals([stderr, stdout], ["", "EPERM\n".repeat(tries.length)]);
});

testSandboxed("managed network: the sandbox has no more than without", async (scene) => {
  await using named = serveLoopback(() => Promise.resolve());
  const script = `
    sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev
    grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t' ' '
    ls /proc/self/fd; ls -d /proc/[0-9]*`;
  const [without, withPort] = [
    await scene.script(script),
    await scene.script(script, managed([named.port])),
  ];
  // The command's own process, whose number differs.
  const alike = (text: string) => text.replace(/^\/proc\/[0-9]{2,}$/m, "own");
  assertEquals(alike(withPort.stdout), alike(without.stdout));
  assertMatch(withPort.stdout, /^lo\n/);
  assertMatch(withPort.stdout, /CapEff: 0000000000000000\n/);
});

const NO_NETWORK = `
say(lambda: connect(("127.0.0.1", PORT)))
say(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
`;

testSandboxed("managed network: without its details there is none at all", async (scene) => {
  await using server = serveLoopback(() => Promise.resolve());
  const script = python(NO_NETWORK.replace("PORT", `${server.port}`));
  const enforced = { enforceManagedNetwork: true };
  const permissions = { type: "disabled" };
  for (const sandbox of [scene.enclosed.sandbox, null, { permissions }]) {
    assertEquals((await scene.run(script, { ...enforced, sandbox })).stdout, "EPERM\nEPERM\n");
  }
  const empty = { ...enforced, managedNetwork: { loopbackPorts: [], allowLocalBinding: false } };
  assertEquals((await scene.run(script, empty)).stdout, "ECONNREFUSED\nEPERM\n");
});

testSandboxed("managed network: it holds without a sandbox for files", async (scene) => {
  await using named = serveLoopback(() => Promise.resolve());
  await using other = serveLoopback(() => Promise.resolve());
  const script = python(`
say(lambda: connect(("127.0.0.1", ${named.port})))
say(lambda: connect(("127.0.0.1", ${other.port})))
say(lambda: open("${scene.outside}/new", "w"))
`);
  const more = { ...managed([named.port]), sandbox: null };
  assertEquals((await scene.run(script, more)).stdout, "ok\nECONNREFUSED\nok\n");
});

Deno.test({
  name: "sandbox: managed network: the executor itself is out of reach",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    await using named = serveLoopback(() => Promise.resolve());
    await using executor = await ListeningExecutor.start();
    const client = await connectWebSocket(executor.url);
    await client.initialize();
    const own = new URL(executor.url).port;
    const script = python(`
say(lambda: connect(("127.0.0.1", ${named.port})))
say(lambda: connect(("127.0.0.1", ${own})))
`);
    const more = { ...enclosedIn(directory.path), ...managed([named.port]) };
    const { stdout } = await run(client, command("p", script, more));
    assertEquals(stdout, "ok\nECONNREFUSED\n");
    await executor.endBy("SIGTERM");
    await client.ended;
  },
});
