import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { shell, start } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { networkProxy } from "./support/network_proxy.ts";
import { testInWorld, type World } from "./support/world.ts";
import { enclosedIn } from "../sandbox/support/sandboxed.ts";

/** Long enough that nothing here waits for it. */
const PATIENCE_MS = 600_000;

/** Starts a command whose client is asked. */
function startAsking(
  { client, workspace }: World,
  processId: string,
  script: string,
  more: Message = {},
): Promise<void> {
  return start(
    client,
    shell(processId, script, {
      ...enclosedIn(workspace),
      networkProxy: { proxy: networkProxy([]), policyDecisionTimeoutMs: PATIENCE_MS, ...more },
    }),
  );
}

/** The next question of the executor. */
async function question(
  { client }: World,
): Promise<{ readonly id: number; readonly params: Message }> {
  const matches = ({ method }: Message) => method === "network/policyRequest";
  const { message: { id, params } } = await client.inbox.next(matches, "a question");
  assert(typeof id === "number" && isRecord(params));
  return { id, params };
}

function decide({ client }: World, id: number, decision: unknown): void {
  client.send(JSON.stringify({ id, result: { decision } }));
}

async function outcome({ client }: World, processId: string) {
  const events = await client.events(processId);
  const text = events.map(({ params }) => isRecord(params) ? params.chunk : undefined)
    .filter((chunk) => typeof chunk === "string")
    .map((chunk) => atob(chunk)).join("");
  const exited = events.find(({ method }) => method === "process/exited")?.params;
  return { text, exited: isRecord(exited) ? exited : {}, events };
}

const GET = "curl -sS http://good.example/hello";

testInWorld("the client is asked what no rule decides, once for a command", async (world) => {
  await startAsking(world, "asks", `${GET}; ${GET}; curl -sS http://good.example:8080/hello`);
  const first = await question(world);
  assertEquals(first.params, {
    requestId: String(first.id),
    processId: "asks",
    request: { protocol: "http", host: "good.example", port: 80 },
  });
  decide(world, first.id, { type: "allow" });
  const second = await question(world);
  assertObjectMatch(second.params, { request: { host: "good.example", port: 8080 } });
  decide(world, second.id, { type: "deny", reason: "that port is for others" });
  const { text, exited, events } = await outcome(world, "asks");
  assertEquals(text.split("\n"), [
    ...["hello from good.example", "hello from good.example"],
    "remex: good.example was not allowed when the client was asked: that port is for others",
    "",
  ]);
  assertObjectMatch(exited, {
    networkReached: ["good.example:80"],
    networkDenied: ["good.example:8080"],
  });
  const notice = events.find(({ method }) => method === "network/policyDecision")?.params;
  assertObjectMatch(isRecord(notice) ? notice : {}, {
    processId: "asks",
    scope: "domain",
    decision: "deny",
    source: "decider",
    reason: "that port is for others",
    protocol: "http",
    host: "good.example",
    port: 8080,
    method: "GET",
    policyOverride: false,
  });
});

testInWorld(
  "a host that the client reviews is asked about though a rule allows it",
  async (world) => {
    const domains = { "good.example": "allow", "second.example": "allow", "other.example": "deny" };
    const reviewDomains = ["good.example", "other.example"];
    const proxy = networkProxy(domains, { reviewDomains });
    const hosts = ["good", "second", "other"].map((name) => `http://${name}.example/hello`);
    const script = hosts.map((host) => `curl -sS ${host}`).join("; ");
    await startAsking(world, "reviewed", script, { proxy });
    const { id, params } = await question(world);
    assertObjectMatch(params, { request: { host: "good.example", port: 80 } });
    decide(world, id, { type: "deny", reason: "not today" });
    assertEquals((await outcome(world, "reviewed")).text.split("\n"), [
      "remex: good.example was not allowed when the client was asked: not today",
      "hello from second.example",
      "remex: other.example is among the denied domains",
      "",
    ]);
    const { stdout } = await world.script(script, domains, { networkProxy: { proxy } });
    assertEquals(
      stdout.split("\n")[0],
      "remex: good.example is reviewed by the client, which cannot be asked",
    );
  },
);

testInWorld("a decision for the session holds for later commands", async (world) => {
  await startAsking(world, "first", GET);
  const { id } = await question(world);
  decide(world, id, { type: "allow", scope: "session" });
  assertMatch((await outcome(world, "first")).text, /hello/);
  await startAsking(world, "second", GET);
  assertMatch((await outcome(world, "second")).text, /hello/);
});

testInWorld("a decision may come as a notification, for the right process only", async (world) => {
  await startAsking(world, "asks", GET);
  const { params: { requestId } } = await question(world);
  const { client } = world;
  const decision = { type: "allow" };
  client.notify("network/policyDecision", { requestId, processId: "other", decision });
  client.notify("network/policyDecision", { requestId: "99", processId: "asks", decision });
  client.notify("network/policyDecision", { requestId, decision });
  client.notify("network/policyDecision", { requestId, processId: "asks", decision: "allow" });
  assertMatch((await outcome(world, "asks")).text, /hello/);
});

testInWorld("what is no decision is a denial, and what comes late is no harm", async (world) => {
  const { client } = world;
  for (const decision of [undefined, "maybe", { type: "perhaps" }, { type: "ask", reason: "x" }]) {
    const processId = `answer ${JSON.stringify(decision)}`;
    await startAsking(world, processId, GET);
    const { id } = await question(world);
    decide(world, id, decision);
    assertMatch((await outcome(world, processId)).text, /not allowed when the client was asked/);
    decide(world, id, { type: "allow" });
  }
  await startAsking(world, "error", GET);
  const { id } = await question(world);
  client.send(JSON.stringify({ id, error: { code: -32601, message: "unknown method" } }));
  assertMatch((await outcome(world, "error")).text, /not allowed/);
});

testInWorld("without an answer in time it is a denial", async (world) => {
  await startAsking(world, "waits", GET, { policyDecisionTimeoutMs: 0 });
  const { id } = await question(world);
  assertMatch((await outcome(world, "waits")).text, /not allowed/);
  decide(world, id, { type: "allow" });
  assert("result" in await world.client.request("environment/info", {}));
});

testInWorld("a client that gives no time is not asked", async (world) => {
  const { stdout } = await world.script(GET, []);
  assertEquals(stdout, "remex: good.example is not among the allowed domains\n");
  assert(!world.client.inbox.unclaimed.some(({ method }) => method === "network/policyRequest"));
});

testInWorld("an allowed answer does not open the inside, nor is it asked for", async (world) => {
  await startAsking(world, "inside", "curl -sS http://127.0.0.1/ http://inside.example/");
  const { id, params } = await question(world);
  assertObjectMatch(params, { request: { host: "inside.example" } });
  decide(world, id, { type: "allow" });
  const { text } = await outcome(world, "inside");
  assertEquals(text.split("\n"), [
    "remex: 127.0.0.1 is an address of this machine or a private network, which no rule names",
    "remex: inside.example leads to an address of this machine or a private network, which no rule names",
    "",
  ]);
});

testInWorld("300 questions at once: 256 wait, the others are denied", async (world) => {
  const script = `python3 -c '
import socket
sockets = []
for port in range(1000, 1300):
    client = socket.create_connection(("127.0.0.1", 3128)); sockets.append(client)
    client.sendall(b"CONNECT good.example:%d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % port)
print(sum(b" 403 " in client.recv(99) for client in sockets[256:]), flush=True)
'`;
  await startAsking(world, "many", script);
  const { client } = world;
  const { message: { params } } = await client.inbox.next(
    ({ method }) => method === "process/output",
    "what it counted",
  );
  assertEquals(isRecord(params) && atob(String(params.chunk)), "44\n");
  const asked = client.inbox.unclaimed.filter(({ method }) => method === "network/policyRequest");
  assertEquals(asked.length, 256);
});
