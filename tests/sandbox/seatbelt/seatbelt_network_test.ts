import { assert, assertEquals } from "@std/assert";
import type { Egress } from "../../../src/sandbox/policy/policy.ts";
import { special, workspaceWrite } from "../context.ts";
import { bindOnMac, sandbox, type Sandboxed } from "./seatbelt_scene.ts";

const READ_ALL = { entries: [special("root", "read")] };

function managed(loopbackPorts: number[], allowLocalBinding = false): Sandboxed {
  return sandbox({ policy: bindOnMac(READ_ALL, {}, { loopbackPorts, allowLocalBinding }) });
}

function connects({ profile }: Sandboxed, port: number): boolean {
  return profile.allows({ operation: "network-outbound", port });
}

function listens({ profile }: Sandboxed, port: number): boolean {
  const both = ["network-bind", "network-inbound"].map((operation) =>
    profile.allows({ operation, port })
  );
  assertEquals(both[0], both[1]);
  return both[0] ?? false;
}

function connectsToSocket({ profile }: Sandboxed, path: string): boolean {
  return profile.allows({ operation: "network-outbound", path });
}

const CERTIFICATES = { operation: "mach-lookup", machService: "com.apple.trustd.agent" };

Deno.test("no network: no connection, no server, no unix socket, no service that connects", () => {
  const sandboxed = sandbox({ policy: bindOnMac(READ_ALL) });
  assertEquals([connects(sandboxed, 80), listens(sandboxed, 80)], [false, false]);
  assertEquals(connectsToSocket(sandboxed, "/private/var/run/docker.sock"), false);
  assertEquals(sandboxed.profile.allows(CERTIFICATES), false);
});

Deno.test("no network: a pair of connected sockets can still be made", () => {
  const { text } = sandbox({ policy: bindOnMac(READ_ALL) });
  assert(text.includes("(allow system-socket (socket-domain AF_UNIX))"));
});

Deno.test("the whole network: everything, with the services that check certificates", () => {
  const sandboxed = sandbox({ policy: bindOnMac({ ...READ_ALL, network: "enabled" }) });
  assertEquals([connects(sandboxed, 80), listens(sandboxed, 80)], [true, true]);
  assertEquals(connectsToSocket(sandboxed, "/private/var/run/x.sock"), true);
  assertEquals(sandboxed.profile.allows(CERTIFICATES), true);
  assert(!sandboxed.text.includes("DARWIN_USER_CACHE_DIR"));
});

Deno.test("a managed network: exactly its ports on this machine", () => {
  const sandboxed = managed([43123, 48081]);
  assertEquals(
    [43123, 48081, 9999, 53, 4312].map((port) => connects(sandboxed, port)),
    [true, true, false, false, false],
  );
  assertEquals(listens(sandboxed, 43123), false);
  assertEquals(sandboxed.profile.allows({ operation: "network-outbound", remote: true }), false);
  assertEquals(connectsToSocket(sandboxed, "/private/var/run/mDNSResponder"), false);
  // It fetches what certificates speak of, from anywhere.
  assertEquals(sandboxed.profile.allows(CERTIFICATES), false);
  assert(sandboxed.text.includes('(allow network-outbound (remote ip "localhost:43123"))'));
  assert(!/\(allow network-outbound\)/.test(sandboxed.text));
});

Deno.test("a managed network with local binding: servers, but connections to its ports only", () => {
  const sandboxed = managed([43123], true);
  assertEquals([listens(sandboxed, 8000), listens(sandboxed, 43123)], [true, true]);
  assertEquals([connects(sandboxed, 43123), connects(sandboxed, 8000)], [true, false]);
});

Deno.test("a managed network without ports: nothing", () => {
  const sandboxed = managed([]);
  assertEquals([connects(sandboxed, 80), listens(sandboxed, 80)], [false, false]);
});

Deno.test("a managed network restricts a command that nothing else does", () => {
  const policy = bindOnMac(
    { permissions: { type: "disabled" } },
    {},
    { loopbackPorts: [8080], allowLocalBinding: false },
  );
  const sandboxed = sandbox({ policy });
  assertEquals([connects(sandboxed, 8080), connects(sandboxed, 80)], [true, false]);
});

Deno.test("unix sockets that are named can be used, those below them too", () => {
  const policy = bindOnMac({ entries: workspaceWrite });
  const unixSockets = ["/tmp/b", "/tmp/a.sock", "/tmp/a.sock"];
  const sandboxed = sandbox(
    { policy, unixSockets },
    (path) => path.startsWith("/tmp") ? `/private${path}` : path,
  );
  const sockets = sandboxed.definitions.filter((definition) =>
    definition.startsWith("UNIX_SOCKET")
  );
  assertEquals(sockets, ["UNIX_SOCKET_0=/private/tmp/a.sock", "UNIX_SOCKET_1=/private/tmp/b"]);
  assertEquals(
    ["/private/tmp/a.sock", "/private/tmp/b/c", "/private/tmp/bc", "/private/tmp/d"]
      .map((path) => connectsToSocket(sandboxed, path)),
    [true, true, false, false],
  );
  assertEquals(
    sandboxed.profile.allows({ operation: "network-bind", path: "/private/tmp/b/c" }),
    true,
  );
  assertEquals(connects(sandboxed, 80), false);
});

Deno.test("a duplicate port is allowed once", () => {
  assertEquals(managed([80, 80]).text.split("localhost:80").length, 2);
});

Deno.test("the executor's own proxy: its port on this machine, and no other", () => {
  const egress: Egress = {
    rules: "",
    localBinding: true,
    port: 41_234,
    report: { reached: [], denied: [] },
    serve: () => Promise.resolve(),
    [Symbol.dispose]() {},
  };
  const sandboxed = sandbox({ policy: bindOnMac(READ_ALL, {}, undefined, egress) });
  assertEquals([41_234, 41_235, 3128, 53].map((port) => connects(sandboxed, port)), [
    true,
    false,
    false,
    false,
  ]);
  assertEquals(sandboxed.profile.allows({ operation: "network-outbound", remote: true }), false);
  assertEquals(sandboxed.profile.allows(CERTIFICATES), false);
});
