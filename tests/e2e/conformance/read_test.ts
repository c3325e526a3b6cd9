import { assertEquals, assertObjectMatch } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { testBoth } from "../support/both_transports.ts";
import { command, run, shell, start, waitForOutput } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** Says `a`, `bb` and `ccc` in chunks of their own, each once it is told to, and exits with 7. */
const THREE_CHUNKS = "for chunk in a bb ccc; do read line; printf $chunk; done; read line; exit 7";

/** Runs a process to its end: chunks 1, 2 and 3, exit 4, close 5. */
async function runThreeChunks(client: RawClient): Promise<void> {
  await start(client, shell("p", THREE_CHUNKS, { pipeStdin: true }));
  for (const chunk of ["a", "bb", "ccc"]) {
    await write(client, "p", "\n");
    await waitForOutput(client, "p", chunk);
  }
  await write(client, "p", "\n");
  await client.events("p");
}

/** Parameters, the chunks that come by sequence number, and `nextSeq`. */
const READS: readonly (readonly [params: Message, seqs: number[], nextSeq: number])[] = [
  [{}, [1, 2, 3], 6],
  [{ afterSeq: null, maxBytes: null, waitMs: null }, [1, 2, 3], 6],
  [{ afterSeq: 0 }, [1, 2, 3], 6],
  [{ afterSeq: 1 }, [2, 3], 6],
  [{ afterSeq: 2 }, [3], 6],
  [{ afterSeq: 3 }, [], 6],
  [{ afterSeq: 4 }, [], 6],
  [{ afterSeq: 5 }, [], 6],
  [{ afterSeq: 99 }, [], 6],
  [{ afterSeq: Number.MAX_SAFE_INTEGER }, [], 6],
  [{ maxBytes: 0 }, [1], 2],
  [{ maxBytes: 1 }, [1], 2],
  [{ maxBytes: 2 }, [1], 2],
  [{ maxBytes: 3 }, [1, 2], 3],
  [{ maxBytes: 4 }, [1, 2], 3],
  [{ maxBytes: 5 }, [1, 2], 3],
  [{ maxBytes: 6 }, [1, 2, 3], 4],
  // What was not cut is told to its end, so that a reader need not ask again for the exit.
  [{ maxBytes: 7 }, [1, 2, 3], 6],
  [{ maxBytes: 1_000_000 }, [1, 2, 3], 6],
  [{ afterSeq: 2, maxBytes: 100 }, [3], 6],
  [{ afterSeq: 1, maxBytes: 1 }, [2], 3],
  [{ afterSeq: 2, maxBytes: 0 }, [3], 4],
  [{ afterSeq: 3, maxBytes: 0 }, [], 6],
  [{ waitMs: 100_000 }, [1, 2, 3], 6],
  [{ afterSeq: 5, waitMs: 100_000 }, [], 6],
  [{ afterSeq: 99, waitMs: 100_000 }, [], 6],
];

const CHUNKS: readonly Message[] = [
  { seq: 1, stream: "stdout", chunk: base64("a") },
  { seq: 2, stream: "stdout", chunk: base64("bb") },
  { seq: 3, stream: "stdout", chunk: base64("ccc") },
];

testBoth("process/read of a process that has closed", async ({ open }, t) => {
  await using client = await open();
  await runThreeChunks(client);
  for (const [params, seqs, nextSeq] of READS) {
    await t.step(JSON.stringify(params), async () => {
      const answer = await client.request("process/read", { processId: "p", ...params });
      assertEquals(answer.result, {
        chunks: CHUNKS.filter(({ seq }) => seqs.includes(Number(seq))),
        nextSeq,
        exited: true,
        exitCode: 7,
        closed: true,
        failure: null,
        sandboxDenied: false,
      });
    });
  }
});

/** Parameters that are answered -32602. */
const WRONG: readonly unknown[] = [
  undefined,
  null,
  5,
  {},
  { processId: 5 },
  { processId: null },
  ...["afterSeq", "maxBytes", "waitMs"].flatMap((member) =>
    [-1, 1.5, "1", true, [], {}].map((value) => ({ processId: "p", [member]: value }))
  ),
];

testBoth("process/read with a wrong member is answered -32602", async ({ open }, t) => {
  await using client = await open();
  await run(client, command("p", ["/bin/true"]));
  for (const params of WRONG) {
    await t.step(JSON.stringify(params) ?? "none", async () => {
      assertObjectMatch(await client.request("process/read", params), { error: { code: -32602 } });
    });
  }
});

testBoth("process/read of an unknown process is answered -32600 at once", async ({ open }) => {
  await using client = await open();
  for (const more of [{}, { waitMs: 100_000 }]) {
    const answer = await client.request("process/read", { processId: "nope", ...more });
    assertObjectMatch(answer, { error: { code: -32600, message: "unknown process id nope" } });
  }
});

/** What is told of a process that runs and has said nothing. */
const SILENT = {
  chunks: [],
  nextSeq: 1,
  exited: false,
  exitCode: null,
  closed: false,
  failure: null,
  sandboxDenied: false,
};

testBoth("process/read of a silent process is answered when its wait is over", async ({ open }) => {
  await using client = await open();
  await start(client, shell("p", "read line", { pipeStdin: true }));
  const waits = [{}, { waitMs: 0 }, { waitMs: null }, { afterSeq: 99 }, { waitMs: 50 }];
  for (const params of waits) {
    const answer = await client.request("process/read", { processId: "p", ...params });
    assertEquals(answer.result, SILENT);
  }
});

testBoth("a waiting process/read ends on output", async ({ open }) => {
  await using client = await open();
  await start(client, command("p", ["/bin/cat"], { pipeStdin: true }));
  const read = (afterSeq: number) =>
    client.request("process/read", { processId: "p", afterSeq, waitMs: 100_000 });
  const [first, again, second] = [read(0), read(0), read(1)];
  await write(client, "p", "one");
  const one = { chunks: [{ seq: 1, stream: "stdout", chunk: base64("one") }], nextSeq: 2 };
  assertObjectMatch(await first, { result: one });
  assertObjectMatch(await again, { result: one });
  await write(client, "p", "two");
  assertEquals((await second).result, {
    ...SILENT,
    chunks: [{ seq: 2, stream: "stdout", chunk: base64("two") }],
    nextSeq: 3,
  });
});

testBoth("a waiting process/read ends on an exit that it has not passed", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const holder = "(until test -e go; do sleep 0.02; done; printf late) &";
  const cwd = `file://${directory.path}`;
  await start(client, shell("p", `${holder} read line; exit 7`, { cwd, pipeStdin: true }));
  const read = (afterSeq: number) =>
    client.request("process/read", { processId: "p", afterSeq, waitMs: 100_000 });

  const atExit = read(0);
  await write(client, "p", "\n");
  const exited = { ...SILENT, nextSeq: 2, exited: true, exitCode: 7 };
  assertEquals((await atExit).result, exited);
  assertEquals((await read(0)).result, exited);

  let answered = false;
  const atOutput = read(1).finally(() => answered = true);
  await client.request("environment/info");
  assertEquals(answered, false);
  directory.write("go", "", 0o644);
  assertObjectMatch(await atOutput, {
    result: { chunks: [{ seq: 2, stream: "stdout", chunk: base64("late") }], exitCode: 7 },
  });
});

testBoth("process/read beyond the last event waits for the close", async ({ open }) => {
  await using client = await open();
  await start(client, shell("p", "read line; exit 7", { pipeStdin: true }));
  const beyond = client.request("process/read", {
    processId: "p",
    afterSeq: 50,
    waitMs: 100_000,
  });
  await write(client, "p", "\n");
  assertEquals((await beyond).result, {
    ...SILENT,
    nextSeq: 3,
    exited: true,
    exitCode: 7,
    closed: true,
  });
});

testBoth("the newest MiB of output is retained, in whole chunks", async ({ open }) => {
  await using client = await open();
  const { events } = await run(client, shell("p", "head -c 3000000 /dev/zero"));
  const sizes = new Map(
    events.map(({ params }) => isRecord(params) ? params : {})
      .filter(({ chunk }) => typeof chunk === "string")
      .map(({ seq, chunk }) => [Number(seq), Uint8Array.fromBase64(String(chunk)).length]),
  );
  const seqs = [...sizes.keys()];
  // As many of the newest as fit.
  let bytes = 0;
  const retained = seqs.toReversed().filter((seq) => {
    bytes += sizes.get(seq) ?? 0;
    return bytes <= 1024 * 1024;
  }).reverse();
  const { result } = await client.request("process/read", { processId: "p" });
  const chunks = isRecord(result) && Array.isArray(result.chunks) ? result.chunks : [];
  assertEquals(chunks.map(({ seq }) => seq), retained);
  assertObjectMatch({ result }, { result: { nextSeq: events.length + 1, closed: true } });
});

async function write(client: RawClient, processId: string, text: string): Promise<void> {
  const params = { processId, chunk: base64(text), writeId: crypto.randomUUID() };
  assertEquals((await client.request("process/write", params)).result, { status: "accepted" });
}
