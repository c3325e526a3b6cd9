import { assertEquals, assertRejects } from "@std/assert";
import { ForwardedSignals, GivenUp } from "../../src/cli/exec_signals.ts";
import type { ProcessSignal } from "../../src/client/mod.ts";
import { eventually, settled } from "../support/patience.ts";

/** A process that keeps what it is sent. */
class Recorder {
  readonly sent: ProcessSignal[] = [];

  signal(signal: ProcessSignal): Promise<void> {
    this.sent.push(signal);
    return Promise.resolve();
  }

  terminate(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

const target = { connected: () => true, graceMs: 60_000 };

Deno.test("a signal that comes while the process is being started reaches it", async () => {
  using signals = new ForwardedSignals();
  const start = Promise.withResolvers<Recorder>();
  const started = signals.started(start.promise, target);
  let heard = false;
  const listener = () => heard = true;
  Deno.addSignalListener("SIGTERM", listener);
  Deno.kill(Deno.pid, "SIGTERM");
  await eventually(() => heard, "the signal");
  Deno.removeSignalListener("SIGTERM", listener);
  const process = new Recorder();
  start.resolve(process);
  await started;
  await eventually(() => process.sent.length > 0, "the signal, passed on");
  assertEquals(process.sent, ["terminate"]);
});

Deno.test("a start whose answer is late is given up after a signal", async () => {
  using signals = new ForwardedSignals();
  const started = signals.started(new Promise<Recorder>(() => {}), target);
  Deno.kill(Deno.pid, "SIGTERM");
  assertEquals((await assertRejects(() => settled(started, "the end"), GivenUp)).exitCode, 143);
});
