import { assertEquals, assertObjectMatch } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { testBoth } from "../support/both_transports.ts";
import { command, outputOf, run, shell, start, waitForOutput } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";

testBoth("process/write reaches a pipe and a terminal", async ({ open }, t) => {
  for (const more of [{ pipeStdin: true }, { tty: true }]) {
    await t.step(JSON.stringify(more), async () => {
      await using client = await open();
      await start(client, shell("p", 'stty -echo 2>&-; echo go; read a b; echo "$b $a"', more));
      await waitForOutput(client, "p", "go");
      assertEquals(await write(client, "p", "ne"), "accepted");
      assertEquals(await write(client, "p", ""), "accepted");
      assertEquals(await write(client, "p", "w old\n"), "accepted");
      await waitForOutput(client, "p", "old new");
    });
  }
});

testBoth("writes keep their order", async ({ open }) => {
  await using client = await open();
  const lines = Array.from({ length: 500 }, (_, index) => `${index}\n`);
  await start(client, shell("p", `head -n ${lines.length}`, { pipeStdin: true }));
  const statuses = await Promise.all(lines.map((line) => write(client, "p", line)));
  assertEquals(new Set(statuses), new Set(["accepted"]));
  assertEquals(outputOf(await client.events("p"), "stdout"), lines.join(""));
});

testBoth("a repeated write id writes nothing", async ({ open }) => {
  await using client = await open();
  await start(client, shell("p", "read a; read b; echo $a$b", { pipeStdin: true }));
  await start(client, shell("q", "read a; echo $a", { pipeStdin: true }));
  assertEquals(await write(client, "p", "1\n", "w1"), "accepted");
  assertEquals(await write(client, "p", "2\n", "w1"), "accepted");
  assertEquals(await write(client, "q", "3\n", "w1"), "accepted");
  assertEquals(await write(client, "p", "4\n", "w2"), "accepted");
  assertEquals(outputOf(await client.events("p"), "stdout"), "14\n");
  assertEquals(outputOf(await client.events("q"), "stdout"), "3\n");
  assertEquals(await write(client, "p", "2\n", "w1"), "accepted");
});

testBoth("process/write to what takes no input", async ({ open }) => {
  await using client = await open();
  assertEquals(await write(client, "nope", "x"), "unknownProcess");
  assertEquals(await write(client, "nope", ""), "unknownProcess");

  await start(client, shell("no input", "echo go; sleep 100"));
  await waitForOutput(client, "no input", "go");
  assertEquals(await write(client, "no input", "x"), "stdinClosed");
  await client.request("process/terminate", { processId: "no input" });
  await client.events("no input");
  assertEquals(await write(client, "no input", "x"), "stdinClosed");

  await run(client, shell("ended", "true", { pipeStdin: true }));
  assertEquals(await write(client, "ended", "x"), "stdinClosed");
  await run(client, shell("ended tty", "true", { tty: true }));
  assertEquals(await write(client, "ended tty", "x"), "stdinClosed");
});

/** Base64, and the bytes it stands for. */
const GOOD_BASE64: readonly (readonly [string, number[]])[] = [
  ["", []],
  ["aA==", [0x68]],
  ["aGk=", [0x68, 0x69]],
  ["AP8Q", [0x00, 0xff, 0x10]],
  ["+/+/", [0xfb, 0xff, 0xbf]],
];

const BAD_BASE64 = [
  "!!!",
  "a",
  "aGk",
  "aGk==",
  "aGk=\n",
  "aG k=",
  " aGk=",
  "aGkaGk",
  "a===",
  "====",
  "=aGk",
  "aGl=",
  "aH==",
  "_-8=",
  "é",
  "aGk=aGk=",
];

testBoth("chunks are standard base64 with padding", async ({ open }, t) => {
  await using client = await open();
  await start(client, command("p", ["/usr/bin/od", "-v", "-An", "-tx1"], { pipeStdin: true }));
  for (const chunk of BAD_BASE64) {
    await t.step(JSON.stringify(chunk), async () => {
      for (const processId of ["p", "nope"]) {
        const params = { processId, chunk, writeId: "w" };
        const answer = await client.request("process/write", params);
        assertObjectMatch(answer, { error: { code: -32602 } });
      }
    });
  }
  for (const [index, [chunk, bytes]] of GOOD_BASE64.entries()) {
    await t.step(JSON.stringify(chunk), async () => {
      const processId = `good ${index}`;
      const script = `head -c ${bytes.length} | od -An -tx1`;
      await start(client, shell(processId, script, { pipeStdin: true }));
      const params = { processId, chunk, writeId: "w" };
      assertObjectMatch(await client.request("process/write", params), { result: {} });
      const events = await client.events(processId);
      const hex = bytes.map((byte) => ` ${byte.toString(16).padStart(2, "0")}`).join("");
      assertEquals(outputOf(events, "stdout").trimEnd(), hex);
    });
  }
});

/** Parameters that are answered -32602. */
const WRONG: readonly unknown[] = [
  undefined,
  null,
  5,
  {},
  { chunk: "", writeId: "w" },
  { processId: "p", writeId: "w" },
  { processId: "p", chunk: "" },
  { processId: 5, chunk: "", writeId: "w" },
  { processId: "p", chunk: null, writeId: "w" },
  { processId: "p", chunk: 5, writeId: "w" },
  { processId: "p", chunk: "", writeId: null },
  { processId: "p", chunk: "", writeId: 5 },
  { processId: "p", chunk: "", writeId: "" },
];

testBoth("process/write with a wrong member is answered -32602", async ({ open }, t) => {
  await using client = await open();
  for (const params of WRONG) {
    await t.step(JSON.stringify(params) ?? "none", async () => {
      assertObjectMatch(await client.request("process/write", params), { error: { code: -32602 } });
    });
  }
});

/** Writes a text and returns the status. */
async function write(
  client: RawClient,
  processId: string,
  text: string,
  writeId: string = crypto.randomUUID(),
): Promise<unknown> {
  const params: Message = { processId, chunk: base64(text), writeId };
  const { result } = await client.request("process/write", params);
  return isRecord(result) ? result.status : undefined;
}
