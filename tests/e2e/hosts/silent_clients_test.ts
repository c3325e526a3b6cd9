import { assertEquals, assertStringIncludes } from "@std/assert";
import { ExecRun } from "../support/exec_run.ts";
import { ListeningExecutor, REMEX_BIN } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { Opcode, RawSocket, UPGRADE } from "../support/raw_socket.ts";

Deno.test("a silent client is sent pings, and stays as long as it answers", async () => {
  await using executor = await ListeningExecutor.start({}, ["--ping-interval", "1"]);
  using socket = await RawSocket.open(executor.url);
  for (let count = 0; count < 4; count++) {
    const frame = await socket.next();
    assertEquals(frame?.opcode, Opcode.Ping);
    await socket.send(Opcode.Pong, frame?.payload ?? "");
  }
  const message = { id: 1, method: "initialize", params: { clientName: "test" } };
  await socket.send(Opcode.Text, JSON.stringify(message));
  assertStringIncludes(await socket.nextText(), "sessionId");
});

Deno.test("a client that answers no ping is found out, and makes room for others", async () => {
  await using executor = await ListeningExecutor.start({}, [
    ...["--ping-interval", "0.2", "--max-connections", "1"],
  ]);
  using silent = await RawSocket.open(executor.url);
  await eventually(async () => {
    using next = await RawSocket.connect(executor.url);
    return (await next.http("GET", "/", UPGRADE)).status === 101;
  }, "room for another client");
  assertEquals((await silent.next())?.opcode, Opcode.Ping);
});

Deno.test("an exec whose reader pauses is not taken for gone", async () => {
  await using executor = await ListeningExecutor.start({}, ["--ping-interval", "5"]);
  const script = `"$0" exec --url ${executor.url} -- seq 1 3000000 | (sleep 14; tail -n 1)`;
  const paused = ["--stdio", "--no-stdin", "--", "bash", "-c", script, REMEX_BIN];
  await using run = new ExecRun(paused);
  await eventually(() => run.stdout !== "", "the last line", { hangMs: 60_000 });
  assertEquals([await run.end(), run.stdout, run.stderr], [0, "3000000\n", ""]);
});
