import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { command, shell } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { LoadClient } from "./support/load_client.ts";
import { resourcesOf } from "./support/resources.ts";

const PROCESSES = 1000;
/** A limit that the processes' pipes exceed by far, and that most systems give a login. */
const SOFT_LIMIT = 1024;
/** What a few dozen processes need more than. */
const HARD_LIMIT = 200;

/** Runs the program with a soft limit on descriptors (setrlimit(2)). */
const limited = (limit: number, kind: "-Sn" | "-n") => ({
  launcher: ["/bin/sh", "-c", `ulimit ${kind} ${limit}; exec "$@"`, "sh"],
});

Deno.test("a thousand processes wait for input at the same time, and all end", async () => {
  await using executor = await ListeningExecutor.start(limited(SOFT_LIMIT, "-Sn"));
  using client = await LoadClient.open(executor.url);
  await client.start(command("first", ["/bin/true"]));
  await client.closed("first");
  await eventually(() => resourcesOf(executor.pid).children === 1, "the watchdog alone");
  const before = resourcesOf(executor.pid);

  const ids = Array.from({ length: PROCESSES }, (_, index) => `cat ${index}`);
  await Promise.all(ids.map((id) => client.start(command(id, ["/bin/cat"], { pipeStdin: true }))));
  assert(resourcesOf(executor.pid).children > PROCESSES);
  await Promise.all(ids.map(async (processId) => {
    const line = { processId, chunk: btoa(`this is ${processId}\n`), writeId: "1" };
    assertEquals((await client.call("process/write", line)).status, "accepted");
    await client.call("process/closeStdin", { processId });
    await client.closed(processId);
  }));

  assertEquals(client.ledger.violations, []);
  for (const id of ids) {
    const { exitCode, output } = client.ledger.account(id);
    assertEquals([output, exitCode], [`this is ${id}\n`, 0]);
  }
  await eventually(() => {
    const { descriptors, children } = resourcesOf(executor.pid);
    return descriptors <= before.descriptors && children === 1;
  }, "the descriptors back");
});

Deno.test("commands keep the soft limit on descriptors that the executor was started with", async () => {
  await using executor = await ListeningExecutor.start(limited(SOFT_LIMIT, "-Sn"));
  using client = await LoadClient.open(executor.url);
  // It is told what to do when its limit has been set.
  const script = "read line; ulimit -Sn";
  await client.start(shell("asked", script, { pipeStdin: true }));
  await client.call("process/write", { processId: "asked", chunk: "Cg==", writeId: "1" });
  await client.closed("asked");
  assertEquals(client.ledger.account("asked").output, `${SOFT_LIMIT}\n`);
});

Deno.test("an executor without descriptors to spare says so, and goes on when it has some", async () => {
  await using executor = await ListeningExecutor.start({
    ...limited(HARD_LIMIT, "-n"),
    // It is told that connections cannot be accepted.
    env: { PATH: "/usr/bin:/bin", REMEX_LOG: "error" },
    stderr: "null",
  });
  using client = await LoadClient.open(executor.url);
  await client.start(command("first", ["/bin/true"]));
  await client.closed("first");
  await eventually(() => resourcesOf(executor.pid).children === 1, "the watchdog alone");
  const before = resourcesOf(executor.pid);

  for (let round = 0; round < 3; round++) {
    const ids = Array.from({ length: HARD_LIMIT }, (_, index) => `cat ${round} ${index}`);
    const starts = await Promise.allSettled(
      ids.map((id) => client.start(command(id, ["/bin/cat"], { pipeStdin: true }))),
    );
    const started = ids.filter((_, index) => starts[index]?.status === "fulfilled");
    const refusals = starts.filter((start) => start.status === "rejected");
    assert(started.length > 10 && refusals.length > 10, `${started.length} were started`);
    for (const { reason } of refusals) assertStringIncludes(String(reason), "Too many open files");

    // One that does not get in for want of a descriptor keeps none out for good.
    const latecomer = openAtLast(executor.url);
    const ended = started.map((processId) => client.call("process/terminate", { processId }));
    await Promise.all(ended);
    await Promise.all(started.map((id) => client.closed(id)));
    using other = await latecomer;
    await other.start(command("last", ["/bin/echo", "hi"]));
    await other.closed("last");
    assertEquals(other.ledger.account("last").output, "hi\n");
  }
  assertEquals(client.ledger.violations, []);
  await eventually(() => {
    const { descriptors, children } = resourcesOf(executor.pid);
    return descriptors <= before.descriptors && children === 1;
  }, "the descriptors back");
});

/** Connects as soon as that is possible. */
async function openAtLast(url: string): Promise<LoadClient> {
  let client: LoadClient | undefined;
  await eventually(async () => {
    client = await LoadClient.open(url).catch(() => undefined);
    return client !== undefined;
  }, "room for a client");
  if (client === undefined) throw new Error("no client");
  return client;
}
