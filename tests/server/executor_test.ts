import { delay } from "@std/async/delay";
import { assertEquals } from "@std/assert";
import { Executor } from "../../src/server/executor.ts";
import { eventually } from "../support/patience.ts";
import { FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";
import { FakeTransport } from "../support/fake_transport.ts";

interface Setting {
  readonly executor: Executor;
  readonly system: FakeSystem;
  /** A client that has a process. */
  readonly transport: FakeTransport;
  readonly served: Promise<void>;
}

async function setUp(): Promise<Setting> {
  const [system, transport] = [new FakeSystem(), new FakeTransport()];
  const executor = new Executor({ startChild: system.start, keeper: new FakeKeeper() });
  const served = executor.serve(transport);
  transport.receive({ id: 0, method: "initialize", params: { clientName: "test" } });
  transport.receive({ method: "initialized" });
  const params = { processId: "p", argv: ["a"], cwd: "file:///", env: {}, tty: false };
  transport.receive({ id: 1, method: "process/start", params });
  await delay(0);
  transport.take();
  const { newest } = system;
  newest.kill = () => newest.finish(137);
  return { executor, system, transport, served };
}

Deno.test("environment/info answers what initialize does", async () => {
  const { executor } = await setUp();
  const transport = new FakeTransport();
  executor.serve(transport);
  transport.receive({ id: 0, method: "initialize", params: { clientName: "test" } });
  transport.receive({ method: "initialized" });
  transport.receive({ id: 1, method: "environment/info" });
  const [initialized, info] = transport.take();
  assertEquals(info?.result, Object(initialized?.result).environmentInfo);
  await executor.shutDown(0);
});

Deno.test("clients are told how their processes ended, and then of the end", async () => {
  const { executor, system, transport, served } = await setUp();
  const { newest } = system;
  newest.requestEnd = () => {
    assertEquals(transport.closeReason, undefined);
    newest.finish(143);
    return true;
  };
  await executor.shutDown(3_600_000);
  await served;
  assertEquals(transport.take().map(({ method }) => method), ["process/exited", "process/closed"]);
  assertEquals(transport.closeReason?.kind, "shutdown");
});

Deno.test("a shutdown waits until clients have what was sent to them", async () => {
  const { executor, transport } = await setUp();
  const flushing = Promise.withResolvers<void>();
  transport.flushing = flushing.promise;
  let over = false;
  const shutDown = executor.shutDown(0).finally(() => over = true);
  await eventually(() => transport.closeReason?.kind === "shutdown", "the connection's end");
  await delay(0);
  assertEquals(over, false);
  flushing.resolve();
  await shutDown;
});

Deno.test("a connection that has ended is not waited for", async () => {
  const { executor, transport, served } = await setUp();
  transport.flushing = new Promise(() => {});
  transport.vanish();
  await served;
  await executor.shutDown(0);
  assertEquals(transport.closeReason, undefined);
});
