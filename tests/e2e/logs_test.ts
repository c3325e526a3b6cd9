import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { LoggingExecutor, type LogLine } from "../support/logging_executor.ts";
import { command, start } from "./support/commands.ts";
import { eventually } from "../support/patience.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** Waits for lines with a message. */
async function lines(
  executor: LoggingExecutor,
  message: string,
  count = 1,
): Promise<readonly LogLine[]> {
  const found = () => executor.logged(message);
  await eventually(() => found().length >= count, `${count} lines "${message}"`);
  return found();
}

Deno.test("an executor's life and its clients' are logged", async () => {
  await using executor = await LoggingExecutor.start({});
  assertObjectMatch((await lines(executor, "listening"))[0] ?? {}, {
    level: "info",
    address: executor.url,
  });

  const first = await connectWebSocket(executor.url);
  const sessionId = await first.initialize();
  await first.close();
  const second = await connectWebSocket(executor.url);
  await second.initialize(sessionId);
  second.notify("nonsense");
  await second.ended;
  const closed = await lines(executor, "connection closed", 2);
  const opened = executor.logged("connection opened");
  for (const [index, line] of opened.entries()) {
    assertObjectMatch(line, { level: "info", transport: "websocket", connection: index + 1 });
    assertMatch(String(line.peer), /^127\.0\.0\.1:\d+$/);
  }
  assertEquals(closed.map(({ connection, reason }) => [connection, reason]), [
    [1, "closedByPeer"],
    [2, "protocolError"],
  ]);
  assertEquals(executor.logged("session resumed").length, 1);
  assertEquals(executor.logged("client broke the protocol").map(({ reason }) => reason), [
    "an unknown notification",
  ]);

  const third = await connectWebSocket(executor.url);
  await executor.end();
  await third.ended;
  assertEquals(executor.logged("connection closed").at(-1)?.reason, "shutdown");
  assertEquals(executor.lines.slice(-3).map(({ message }) => message), [
    "shutting down",
    "connection closed",
    "shut down",
  ]);
  for (const { time, level, message } of executor.lines) {
    assertMatch(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertMatch(String(level), /^(info|debug)$/);
    assertMatch(String(message), /^[a-z ]+$/);
  }
});

Deno.test("who is refused is logged, with why, and once a minute", async () => {
  const digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  const auth = ["--ws-auth", "capability-token", "--ws-token-sha256", digest];
  await using executor = await LoggingExecutor.start({}, auth);
  const url = executor.url.replace("ws:", "http:");
  const upgrade = { upgrade: "websocket", connection: "upgrade", "sec-websocket-version": "13" };
  for (
    const headers of [
      { origin: "http://page" },
      {},
      upgrade,
      { ...upgrade, authorization: "Bearer wrong-token" },
      { ...upgrade, authorization: "Bearer another" },
    ]
  ) {
    const refused = new Request(`${url}/some/path`, { headers });
    await (await fetch(refused)).body?.cancel();
  }
  const refusals = await lines(executor, "connection refused", 4);
  assertEquals(
    refusals.map(({ level, status, reason }) => [level, status, reason]),
    [
      ["warn", 403, "connections from web pages are refused"],
      ["info", 426, "this is a WebSocket server"],
      ["warn", 401, "no token"],
      ["warn", 401, "the token is wrong"],
    ],
  );
  assertEquals(executor.text.includes("wrong-token"), false);
});

Deno.test("limits that are hit are logged", async () => {
  const limits = ["--max-processes", "1", "--max-sessions", "1", "--max-connections", "2"];
  await using executor = await LoggingExecutor.start({}, limits);
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  await start(client, command("p", ["sleep", "1000"]));
  for (const name of ["q", "r"]) await client.request("process/start", command(name, ["true"]));
  await using other = await connectWebSocket(executor.url);
  await other.request("initialize", { clientName: "other" });
  await connectWebSocket(executor.url).then(() => {}, () => {});
  const [refused] = await lines(executor, "connection refused");
  assertObjectMatch(refused ?? {}, { level: "warn", status: 503 });
  assertEquals(
    ["start refused: too many processes", "session refused: too many sessions"].map((message) =>
      executor.logged(message).map(({ level, limit }) => [level, limit])
    ),
    [[["warn", 1]], [["warn", 1]]],
  );
});
