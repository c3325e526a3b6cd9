import { assertEquals, assertObjectMatch } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { testBoth } from "../support/both_transports.ts";
import { outputOf, run, shell, start, waitForOutput } from "../support/commands.ts";
import { exists, isAlive } from "../support/files.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const INTERRUPT = { processId: "p", signal: "interrupt" };
const P = { processId: "p" };

testBoth("an interrupt reaches the whole process group", async ({ open }, t) => {
  // The shell must outlive its child, or the child's own handler would have nobody to tell.
  const group = "sh -c 'trap \"echo child; exit\" INT; echo go; while :; do sleep 0.02; done';" +
    "echo shell";
  for (const more of [{}, { tty: true }, { pipeStdin: true }]) {
    await t.step(`and runs handlers, ${JSON.stringify(more)}`, async () => {
      await using client = await open();
      await start(client, shell("p", `trap 'echo leader' INT; ${group}`, more));
      await waitForOutput(client, "p", "go");
      assertEquals((await client.request("process/signal", INTERRUPT)).result, {});
      const events = await client.events("p");
      const output = outputOf(events, "tty" in more ? "pty" : "stdout").replaceAll("\r", "");
      assertEquals(output, "child\nleader\nshell\n");
    });
    await t.step(`and ends what has none, ${JSON.stringify(more)}`, async () => {
      await using client = await open();
      await start(client, shell("p", "echo go; exec sleep 100", more));
      await waitForOutput(client, "p", "go");
      assertEquals((await client.request("process/signal", INTERRUPT)).result, {});
      assertObjectMatch(await client.event("p"), { params: { exitCode: 130 } });
    });
  }
});

testBoth("an interrupt of what is not running does nothing", async ({ open }) => {
  await using client = await open();
  assertEquals((await client.request("process/signal", INTERRUPT)).result, {});
  await run(client, shell("p", "true"));
  assertEquals((await client.request("process/signal", INTERRUPT)).result, {});
});

testBoth("process/terminate kills the whole process group", async ({ open }, t) => {
  const script = "trap '' INT TERM HUP; (trap '' INT TERM HUP; echo go; sleep 100) & wait";
  for (const more of [{}, { tty: true }, { pipeStdin: true }]) {
    await t.step(JSON.stringify(more), async () => {
      await using client = await open();
      await start(client, shell("p", script, more));
      await waitForOutput(client, "p", "go");
      assertEquals((await client.request("process/terminate", P)).result, { running: true });
      const [exited, closed, ...rest] = await client.events("p");
      assertObjectMatch(exited ?? {}, { params: { exitCode: 137, sandboxDenied: false } });
      assertObjectMatch(closed ?? {}, { method: "process/closed" });
      assertEquals(rest, []);
      assertEquals((await client.request("process/terminate", P)).result, { running: false });
    });
  }
});

testBoth("process/terminate of what is not running", async ({ open }) => {
  await using client = await open();
  for (const processId of ["nope", ""]) {
    const { result } = await client.request("process/terminate", { processId });
    assertEquals(result, { running: false });
  }
  await run(client, shell("p", "true"));
  assertEquals((await client.request("process/terminate", P)).result, { running: false });
});

testBoth("no descendant outlives process/terminate, in whatever session", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const script = "setsid sh -c 'echo $$ > pid; sleep 100' & setsid sleep 100 & echo go; wait";
  await start(client, shell("p", script, { cwd: `file://${directory.path}` }));
  await waitForOutput(client, "p", "go");
  const pidFile = `${directory.path}/pid`;
  await eventually(() => exists(pidFile) && Deno.readTextFileSync(pidFile) !== "", "a pid");
  const pid = Deno.readTextFileSync(pidFile).trim();
  assertEquals((await client.request("process/terminate", P)).result, { running: true });
  await client.events("p");
  await eventually(() => !isAlive(pid), "the descendant's end");
});

testBoth("requests may follow process/start without waiting", async ({ open }, t) => {
  const starts = JSON.stringify(shell("p", "cat; exit 3", { pipeStdin: true }));
  await t.step("terminate", async () => {
    await using client = await open();
    client.send(`{"id":1,"method":"process/start","params":${starts}}`);
    client.send('{"id":2,"method":"process/terminate","params":{"processId":"p"}}');
    assertObjectMatch(await client.answer(1), { result: {} });
    assertEquals((await client.answer(2)).result, { running: true });
    assertObjectMatch(await client.event("p"), { params: { exitCode: 137 } });
  });
  await t.step("write and read", async () => {
    await using client = await open();
    const write = JSON.stringify({ processId: "p", chunk: base64("hi"), writeId: "w" });
    client.send(`{"id":1,"method":"process/start","params":${starts}}`);
    client.send(`{"id":2,"method":"process/write","params":${write}}`);
    client.send('{"id":3,"method":"process/read","params":{"processId":"p","waitMs":100000}}');
    assertObjectMatch(await client.answer(1), { result: {} });
    assertEquals((await client.answer(2)).result, { status: "accepted" });
    assertObjectMatch(await client.answer(3), { result: { nextSeq: 2, exited: false } });
  });
});

testBoth("process/resize changes the size of a terminal", async ({ open }) => {
  await using client = await open();
  const script = "trap 'stty size' WINCH; echo go; while :; do sleep 0.02; done";
  await start(client, shell("p", script, { tty: true }));
  await waitForOutput(client, "p", "go");
  const size = { processId: "p", rows: 50, cols: 132 };
  assertEquals((await client.request("process/resize", size)).result, {});
  await waitForOutput(client, "p", "50 132");
  await client.request("process/terminate", P);
  await client.events("p");
  assertEquals((await client.request("process/resize", size)).result, {});
});

/** Parameters that are answered with an error. */
const WRONG: readonly (readonly [method: string, params: unknown, code: number])[] = [
  ["process/signal", undefined, -32602],
  ["process/signal", {}, -32602],
  ["process/signal", { processId: "p" }, -32602],
  ["process/signal", { signal: "interrupt" }, -32602],
  ["process/signal", { processId: 5, signal: "interrupt" }, -32602],
  ["process/signal", { processId: "p", signal: "kill" }, -32602],
  ["process/signal", { processId: "p", signal: "SIGINT" }, -32602],
  ["process/signal", { processId: "p", signal: "Interrupt" }, -32602],
  ["process/signal", { processId: "p", signal: 2 }, -32602],
  ["process/signal", { processId: "p", signal: null }, -32602],
  ["process/terminate", undefined, -32602],
  ["process/terminate", {}, -32602],
  ["process/terminate", { processId: 5 }, -32602],
  ["process/terminate", { processId: null }, -32602],
  ["process/resize", { processId: "p" }, -32602],
  ["process/resize", { processId: "p", rows: 0, cols: 80 }, -32602],
  ["process/resize", { processId: "p", rows: 24, cols: 65_536 }, -32602],
  ["process/resize", { processId: "p", rows: 24.5, cols: 80 }, -32602],
  ["process/resize", { processId: "nope", rows: 24, cols: 80 }, -32600],
];

testBoth("wrong members of signal, terminate and resize", async ({ open }, t) => {
  await using client = await open();
  await run(client, shell("p", "true"));
  for (const [method, params, code] of WRONG) {
    await t.step(`${method} ${JSON.stringify(params)}`, async () => {
      assertObjectMatch(await client.request(method, params), { error: { code } });
    });
  }
});
