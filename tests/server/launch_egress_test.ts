import { assertEquals } from "@std/assert";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { Quota } from "../../src/process/quota.ts";
import { networkProxy } from "../../src/protocol/network_proxy.ts";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { launchEgress } from "../../src/server/launch_egress.ts";
import { Session } from "../../src/server/session.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { serveEcho } from "../egress/support/served_proxy.ts";
import { FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";

function makeSession(): Session {
  return new Session({
    startChild: new FakeSystem().start,
    keeper: new FakeKeeper(),
    retainedBytes: 1024,
    retentionPool: new RetentionPool(),
    processSlots: new Quota(1000),
    telemetry: NO_TELEMETRY,
    closedProcesses: new ClosedProcesses(1000, 60_000),
  });
}

Deno.test({
  name: "where commands share the machine's loopback, the variables lead to a port with a password",
  ignore: Deno.build.os !== "linux",
  // The C library and what waits for descriptors stay open.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using origin = serveEcho();
    const proxy = {
      enabled: true,
      enableSocks5: true,
      enableSocks5Udp: false,
      allowUpstreamProxy: false,
      dangerouslyAllowAllUnixSockets: false,
      mode: "full",
      domains: { "127.0.0.1": "allow" },
      unixSockets: {},
      allowLocalBinding: true,
    };
    const { egress, environment } = await launchEgress(networkProxy.parse({ proxy }), {
      processId: "p",
      session: makeSession(),
      telemetry: NO_TELEMETRY,
      environment: {},
      privateLoopback: true,
      sharesLoopback: true,
    });
    const get = async (env: Record<string, string>, url: string) => {
      const { stdout } = await new Deno.Command("curl", { args: ["-s", url], env }).output();
      return new TextDecoder().decode(stdout);
    };
    const page = `http://127.0.0.1:${origin.port}/page`;
    const { port } = egress;
    try {
      assertEquals(await get(environment, page), "saw GET /page HTTP/1.1\n");
      const denied = "remex: good.example is not among the allowed domains\n";
      assertEquals(await get(environment, "http://good.example/"), denied);
      const without = { http_proxy: `http://127.0.0.1:${port}`, no_proxy: "" };
      assertEquals(await get(without, page), "remex: this proxy is another command's\n");
      assertEquals(egress.report, {
        reached: [`127.0.0.1:${origin.port}`],
        denied: ["good.example:80"],
      });
    } finally {
      egress[Symbol.dispose]();
    }
    // Nobody listens there any more.
    assertEquals(await get(environment, page), "");
  },
});
