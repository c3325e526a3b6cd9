// A small executor, for tests that kill it or that must not adopt processes themselves. It obeys
// lines of standard input, one after another, and prints an answer to each:
//
//     run OWNER SCRIPT   starts a shell command; its process id
//     late OWNER SCRIPT  has another thread start one, and takes it over when it has ended; its id
//     end OWNER          kills what the owner's commands left behind
//     terminate PID      kills a command and whatever descends from it
//     watch SESSION      puts a session into the watchdog's care
//     release SESSION    takes it out again
//     keep PATH          has the watchdog remove a directory in the end
//     drop PATH          has it not do so any more
//     settle             waits until the watchdog has been told of every drop
//     watchdog           the watchdog's process id
//
// Besides, it prints `watching SESSION`, `released SESSION` and `lost REASON` when that happens.

import { stdin } from "node:process";
import { delay } from "@std/async/delay";
import { createInterface } from "node:readline";
import { Watchdog } from "../../src/process/watchdog.ts";
import { Orphans } from "../../src/process/linux/orphans.ts";
import { closeDescriptor } from "../../src/os/descriptor.ts";
import { killTree, processStatus } from "../../src/os/procfs.ts";
import { reap } from "../../src/os/signals.ts";
import { holdProcess } from "../../src/os/spawn.ts";
import { startChild } from "../../src/process/start_child.ts";

const watchdog = new Watchdog((reason) => console.log(`lost ${reason}`));
const orphans = new Orphans({
  watchOver(session) {
    watchdog.watchOver(session);
    console.log(`watching ${session}`);
  },
  release(session) {
    watchdog.release(session);
    console.log(`released ${session}`);
  },
});
const owners = new Map<string, object>();

function ownerNamed(name: string): object {
  const owner = owners.get(name) ?? {};
  owners.set(name, owner);
  return owner;
}

async function run(owner: object, script: string): Promise<number> {
  const child = await startChild({
    argv: ["/bin/sh", "-c", script],
    cwd: "/",
    env: Deno.env.toObject(),
    stdio: { kind: "pipes", stdin: "empty" },
  }, { output() {}, exited() {}, ended() {} });
  orphans.started(child, owner);
  return child.pid;
}

async function runLate(owner: object, script: string): Promise<number> {
  const thread = new Worker(new URL("spawning_thread.ts", import.meta.url), { type: "module" });
  const pid = await new Promise<number>((resolve) => {
    thread.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
    thread.postMessage(script);
  });
  while (!processStatus(pid)?.zombie) await delay(1);
  orphans.exited();
  const { descriptor } = holdProcess(pid);
  if (descriptor !== undefined) closeDescriptor(descriptor);
  orphans.started({ pid }, owner);
  reap(pid);
  orphans.exited();
  return pid;
}

function terminate(pid: number): void {
  const killLeft = orphans.killerOf(pid);
  killTree(pid);
  killLeft();
}

async function obey([order, object = "", ...rest]: string[]): Promise<number | undefined> {
  switch (order) {
    case "run":
      return await run(ownerNamed(object), rest.join(" "));
    case "late":
      return await runLate(ownerNamed(object), rest.join(" "));
    case "end":
      orphans.killAllOf(ownerNamed(object));
      return 0;
    case "terminate":
      terminate(Number(object));
      return 0;
    case "watch":
      watchdog.watchOver(Number(object));
      return 0;
    case "release":
      watchdog.release(Number(object));
      return 0;
    case "keep":
      watchdog.keepDirectory([object, ...rest].join(" "));
      return 0;
    case "drop":
      watchdog.releaseDirectory([object, ...rest].join(" "));
      return 0;
    case "settle":
      // Timers run out in their order, however late.
      await delay(1100);
      return 0;
    case "watchdog":
      return watchdog.pid;
  }
}

await watchdog.start();
for await (const line of createInterface({ input: stdin })) {
  console.log(`answer ${await obey(line.split(" ")) ?? "none"}`);
}
