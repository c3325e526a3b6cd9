import { assert, assertEquals, assertRejects } from "@std/assert";
import { inParallel } from "../recovery/support/in_parallel.ts";
import { command } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually } from "../../support/patience.ts";
import { Opcode, RawSocket } from "../support/raw_socket.ts";
import { LoadClient, Refused } from "./support/load_client.ts";
import { flood, readAll, slowReader, vanish } from "./support/misbehaviour.ts";
import { isAsleep, resourcesOf } from "./support/resources.ts";
import { User } from "./support/user.ts";
import { witness } from "./support/witness.ts";

const USERS = 6;
const COMMANDS_A_USER = 200;
const FLOOD = 600;
const VANISHED = 40;
const SLOW_READERS = 10;
/** A connection, two pipes and a process descriptor for each slow reader, and a running command. */
const SLOW_DESCRIPTORS = SLOW_READERS * 4 + 4;
/**
 * Sessions without a connection end after 30 s, what does not become a WebSocket after 20 s, and
 * the vanished are missed after 18 s.
 */
const ENDED = { hangMs: 90_000, pollMs: 100 };

/** Each spends most of its time waiting, so they do it together. */
const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  "thousands of starts, ends, cuts and comebacks lose no event and leave nothing": comeAndGo,
  "floods, the half open and the slow are outlived, and nobody else notices": misbehave,
  "a flood past the limit on descriptors passes": exhaust,
};

Deno.test("endurance", async (t) => {
  const steps = Object.entries(PARTS).map(([name, fn]) =>
    t.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false })
  );
  await Promise.all(steps);
});

async function comeAndGo(): Promise<void> {
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start();
  const { url, pid } = executor;
  const before = await descriptorsAtRest(executor);

  const users = Array.from(
    { length: USERS },
    (_, index) => new User(url, index, marked.duration),
  );
  await inParallel(USERS, users, (user) => user.work(COMMANDS_A_USER));
  assertEquals(users.flatMap(({ violations }) => violations), []);

  await eventually(() => marked.find().length === 0, "the end of what was abandoned", ENDED);
  for (const resumeSessionId of users.flatMap(({ abandoned }) => abandoned)) {
    const resumed = () => LoadClient.open(url, { resumeSessionId });
    assertEquals((await assertRejects(resumed, Refused)).code, -32600);
  }
  await eventually(() => hasRest(pid, before), "nothing but what was there before", ENDED);
  await eventually(() => isAsleep(pid), "an executor that has no timer left");
}

async function misbehave(): Promise<void> {
  // Who is slow enough would be missed otherwise.
  await using executor = await ListeningExecutor.start({}, ["--ping-interval", "600"]);
  const { url, pid } = executor;
  const before = await descriptorsAtRest(executor);
  using client = await LoadClient.open(url);
  const over = new AbortController();
  using held = new DisposableStack();
  const misbehaviour = async () => {
    const slow = await Promise.all(Array.from({ length: SLOW_READERS }, () => slowReader(url)));
    slow.forEach((socket) => held.use(socket));
    await flood(url, FLOOD, held);
    // That takes the rights of root.
    if (Deno.uid() === 0) await vanish(url, VANISHED);
    using asked = await RawSocket.connect(url);
    assertEquals((await asked.http("GET", "/readyz")).status, 200);
    await eventually(
      () => resourcesOf(pid).descriptors <= before + SLOW_DESCRIPTORS,
      "an end to connections that say nothing",
      ENDED,
    );
    for (const socket of slow) await readAll(socket);
  };
  await Promise.all([
    witness(client, over.signal),
    misbehaviour().finally(() => over.abort()),
  ]);
  held.dispose();
  client.cut();
  await eventually(() => hasRest(pid, before), "nothing but what was there before", ENDED);
}

async function exhaust(): Promise<void> {
  await using executor = await ListeningExecutor.start({
    launcher: ["/bin/sh", "-c", 'ulimit -n 256; exec "$@"', "sh"],
    // It complains that it cannot accept connections.
    stderr: "null",
  });
  using client = await LoadClient.open(executor.url);
  using held = new DisposableStack();
  // Who comes when there are none left is refused, who waits to be accepted is sent away. Whoever has
  // nothing more to say may not notice.
  await flood(executor.url, FLOOD, held).catch((error) => {
    const { ConnectionRefused, ConnectionReset, BrokenPipe, NotConnected } = Deno.errors;
    const sentAway = [ConnectionRefused, ConnectionReset, BrokenPipe, NotConnected];
    assert(sentAway.some((kind) => error instanceof kind), `${error}`);
  });
  const { cwd } = await client.call("environment/info", {});
  assertEquals(typeof cwd, "string");
  await eventually(
    () => succeeds(() => client.start(command("late", ["/bin/true"]))),
    "descriptors for a command",
    ENDED,
  );
  await eventually(() => succeeds(() => ping(executor.url)), "room for a client", ENDED);
}

/** Runs a command, so that what is loaded at first use has been, and counts when all is over. */
async function descriptorsAtRest({ url, pid }: ListeningExecutor): Promise<number> {
  const connected = await LoadClient.open(url);
  await connected.start(command("first", ["/bin/true"]));
  await connected.closed("first");
  await eventually(() => resourcesOf(pid).children === 1, "the watchdog alone");
  const { descriptors } = resourcesOf(pid);
  connected.cut();
  await eventually(() => resourcesOf(pid).descriptors < descriptors, "the connection's end");
  return resourcesOf(pid).descriptors;
}

function hasRest(pid: number, before: number): boolean {
  const { descriptors, children } = resourcesOf(pid);
  return descriptors <= before && children === 1;
}

async function succeeds(action: () => Promise<void>): Promise<boolean> {
  return await action().then(() => true, () => false);
}

async function ping(url: string): Promise<void> {
  using socket = await RawSocket.open(url);
  await socket.send(Opcode.Ping, "");
  assertEquals((await socket.next())?.opcode, Opcode.Pong);
}
