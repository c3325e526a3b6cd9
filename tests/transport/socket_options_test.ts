import { assertEquals } from "@std/assert";
import { tuneConnectedSockets, tuneListeningSocket } from "../../src/transport/socket_options.ts";
import { socketsOn } from "./socket_facts.ts";

const TUNED = { noDelay: true, keepAlive: true, keepAliveIdle: 10, keepAliveInterval: 4 };
const linux = Deno.build.os === "linux";

Deno.test({
  name: "sockets accepted after tuning send at once and ask after the other side",
  ignore: !linux,
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    assertEquals(socketsOn(port).map(({ noDelay }) => noDelay), [false]);
    tuneListeningSocket(port);
    using _client = await Deno.connect({ hostname: "127.0.0.1", port });
    using _accepted = await listener.accept();
    const facts = socketsOn(port).toSorted((a, b) => Number(a.listening) - Number(b.listening));
    assertEquals(facts, [{ listening: false, ...TUNED }, { listening: true, ...TUNED }]);
  },
});

Deno.test({
  name: "other sockets stay as they are",
  ignore: !linux,
  fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    tuneListeningSocket(listener.addr.port);
    assertEquals(socketsOn(other.addr.port).map(({ noDelay }) => noDelay), [false]);
  },
});

Deno.test({
  name: "sockets that are connected to a port can be tuned too",
  ignore: !linux,
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    using _accepted = await listener.accept();
    tuneConnectedSockets(listener.addr.port);
    assertEquals(socketsOn(client.localAddr.port), [{ listening: false, ...TUNED }]);
  },
});
