import { assert, assertEquals } from "@std/assert";
import { special, workspaceWrite } from "../context.ts";
import { bindOnMac, enclose, type Enclosed } from "./seatbelt_scene.ts";

const READ_ALL = { entries: [special("root", "read")] };

function managed(loopbackPorts: number[], allowLocalBinding = false): Enclosed {
  return enclose({ intent: bindOnMac(READ_ALL, {}, { loopbackPorts, allowLocalBinding }) });
}

function connects({ profile }: Enclosed, port: number): boolean {
  return profile.allows({ operation: "network-outbound", port });
}

function listens({ profile }: Enclosed, port: number): boolean {
  const both = ["network-bind", "network-inbound"].map((operation) =>
    profile.allows({ operation, port })
  );
  assertEquals(both[0], both[1]);
  return both[0] ?? false;
}

function connectsToSocket({ profile }: Enclosed, path: string): boolean {
  return profile.allows({ operation: "network-outbound", path });
}

const CERTIFICATES = { operation: "mach-lookup", machService: "com.apple.trustd.agent" };

Deno.test("no network: no connection, no server, no unix socket, no service that connects", () => {
  const enclosed = enclose({ intent: bindOnMac(READ_ALL) });
  assertEquals([connects(enclosed, 80), listens(enclosed, 80)], [false, false]);
  assertEquals(connectsToSocket(enclosed, "/private/var/run/docker.sock"), false);
  assertEquals(enclosed.profile.allows(CERTIFICATES), false);
});

Deno.test("no network: a pair of connected sockets can still be made", () => {
  const { text } = enclose({ intent: bindOnMac(READ_ALL) });
  assert(text.includes("(allow system-socket (socket-domain AF_UNIX))"));
});

Deno.test("the whole network: everything, with the services that check certificates", () => {
  const enclosed = enclose({ intent: bindOnMac({ ...READ_ALL, network: "enabled" }) });
  assertEquals([connects(enclosed, 80), listens(enclosed, 80)], [true, true]);
  assertEquals(connectsToSocket(enclosed, "/private/var/run/x.sock"), true);
  assertEquals(enclosed.profile.allows(CERTIFICATES), true);
  assert(!enclosed.text.includes("DARWIN_USER_CACHE_DIR"));
});

Deno.test("a managed network: exactly its ports on this machine", () => {
  const enclosed = managed([43123, 48081]);
  assertEquals(
    [43123, 48081, 9999, 53, 4312].map((port) => connects(enclosed, port)),
    [true, true, false, false, false],
  );
  assertEquals(listens(enclosed, 43123), false);
  assertEquals(enclosed.profile.allows({ operation: "network-outbound", remote: true }), false);
  assertEquals(connectsToSocket(enclosed, "/private/var/run/mDNSResponder"), false);
  // It fetches what certificates speak of, from anywhere.
  assertEquals(enclosed.profile.allows(CERTIFICATES), false);
  assert(enclosed.text.includes('(allow network-outbound (remote ip "localhost:43123"))'));
  assert(!/\(allow network-outbound\)/.test(enclosed.text));
});

Deno.test("a managed network with local binding: servers, but connections to its ports only", () => {
  const enclosed = managed([43123], true);
  assertEquals([listens(enclosed, 8000), listens(enclosed, 43123)], [true, true]);
  assertEquals([connects(enclosed, 43123), connects(enclosed, 8000)], [true, false]);
});

Deno.test("a managed network without ports: nothing", () => {
  const enclosed = managed([]);
  assertEquals([connects(enclosed, 80), listens(enclosed, 80)], [false, false]);
});

Deno.test("a managed network restricts a command that nothing else does", () => {
  const intent = bindOnMac(
    { permissions: { type: "disabled" } },
    {},
    { loopbackPorts: [8080], allowLocalBinding: false },
  );
  const enclosed = enclose({ intent });
  assertEquals([connects(enclosed, 8080), connects(enclosed, 80)], [true, false]);
});

Deno.test("unix sockets that are named can be used, those below them too", () => {
  const intent = bindOnMac({ entries: workspaceWrite });
  const unixSockets = ["/tmp/b", "/tmp/a.sock", "/tmp/a.sock"];
  const enclosed = enclose(
    { intent, unixSockets },
    (path) => path.startsWith("/tmp") ? `/private${path}` : path,
  );
  const sockets = enclosed.definitions.filter((definition) => definition.startsWith("UNIX_SOCKET"));
  assertEquals(sockets, ["UNIX_SOCKET_0=/private/tmp/a.sock", "UNIX_SOCKET_1=/private/tmp/b"]);
  assertEquals(
    ["/private/tmp/a.sock", "/private/tmp/b/c", "/private/tmp/bc", "/private/tmp/d"]
      .map((path) => connectsToSocket(enclosed, path)),
    [true, true, false, false],
  );
  assertEquals(
    enclosed.profile.allows({ operation: "network-bind", path: "/private/tmp/b/c" }),
    true,
  );
  assertEquals(connects(enclosed, 80), false);
});

Deno.test("a duplicate port is allowed once", () => {
  assertEquals(managed([80, 80]).text.split("localhost:80").length, 2);
});
