import { assertEquals, assertObjectMatch } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { testBoth } from "../support/both_transports.ts";
import { command, outputOf, shell, start } from "../support/commands.ts";

testBoth("requests behind a waiting read are answered", async ({ open }) => {
  await using client = await open();
  await start(client, command("p", ["/bin/cat"], { pipeStdin: true }));
  let answered = false;
  const waiting = client.request("process/read", { processId: "p", waitMs: 100_000 })
    .finally(() => answered = true);
  assertObjectMatch(await client.request("environment/info"), { result: {} });
  assertObjectMatch(await client.request("process/read", { processId: "p" }), { result: {} });
  assertEquals(answered, false);
  await client.request("process/write", { processId: "p", chunk: base64("hi"), writeId: "w" });
  assertObjectMatch(await waiting, { result: { nextSeq: 2 } });
});

testBoth("five thousand requests sent without waiting are all answered", async ({ open }) => {
  await using client = await open();
  const answers = await Promise.all(
    Array.from(
      { length: 5000 },
      (_, index) =>
        index % 5 === 0
          ? client.request("process/read", { processId: "nope" })
          : client.request("process/terminate", { processId: "nope" }),
    ),
  );
  const errors = answers.filter((answer) => "error" in answer);
  const results = answers.filter((answer) => "result" in answer);
  assertEquals([errors.length, results.length], [1000, 4000]);
});

testBoth("a thousand waiting reads are all answered", async ({ open }) => {
  await using client = await open();
  await start(client, shell("p", "read line; exit 7", { pipeStdin: true }));
  const reads = Array.from(
    { length: 1000 },
    () => client.request("process/read", { processId: "p", waitMs: 100_000 }),
  );
  await client.request("process/write", { processId: "p", chunk: base64("\n"), writeId: "w" });
  for (const answer of await Promise.all(reads)) {
    assertObjectMatch(answer, { result: { exited: true, exitCode: 7 } });
  }
});

testBoth("commands run side by side", async ({ open }) => {
  await using client = await open();
  // Each waits for the next to have started: none ends unless all run at once.
  const ids = Array.from({ length: 20 }, (_, index) => `p${index}`);
  for (const id of ids) {
    await start(client, command(id, ["/bin/cat"], { pipeStdin: true, tty: true }));
  }
  for (const id of ids.toReversed()) {
    const params = { processId: id, chunk: base64(`${id}\n\x04`), writeId: "w" };
    assertEquals((await client.request("process/write", params)).result, { status: "accepted" });
  }
  const outputs = await Promise.all(
    ids.map(async (id) => outputOf(await client.events(id), "pty")),
  );
  // The terminal's echo, and cat's.
  assertEquals(outputs, ids.map((id) => `${id}\r\n${id}\r\n`));
});
