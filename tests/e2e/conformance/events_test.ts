import { assert, assertEquals } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { testBoth } from "../support/both_transports.ts";
import { outputOf, run, shell, start, waitForOutput } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

function output(seq: number, stream: string, text: string): Message {
  return { method: "process/output", params: { processId: "p", seq, stream, chunk: base64(text) } };
}

function exited(seq: number, exitCode: number): Message {
  const params = { processId: "p", seq, exitCode, sandboxDenied: false };
  return { method: "process/exited", params };
}

function closed(seq: number): Message {
  return { method: "process/closed", params: { processId: "p", seq } };
}

/** Shell commands and everything that is told of them. */
const COMMANDS: readonly (readonly [script: string, more: Message, events: Message[]])[] = [
  ["echo hi", {}, [output(1, "stdout", "hi\n"), exited(2, 0), closed(3)]],
  ["echo no >&2", {}, [output(1, "stderr", "no\n"), exited(2, 0), closed(3)]],
  ["true", {}, [exited(1, 0), closed(2)]],
  ["exit 3", {}, [exited(1, 3), closed(2)]],
  ["exit 255", {}, [exited(1, 255), closed(2)]],
  ["kill -KILL $$", {}, [exited(1, 137), closed(2)]],
  ["kill -TERM $$", {}, [exited(1, 143), closed(2)]],
  ["kill -INT $$", {}, [exited(1, 130), closed(2)]],
  ["kill -SEGV $$", {}, [exited(1, 139), closed(2)]],
  ["exec >&- 2>&-; exit 4", {}, [exited(1, 4), closed(2)]],
  ["echo hi", { tty: true }, [output(1, "pty", "hi\r\n"), exited(2, 0), closed(3)]],
  ["echo no >&2", { tty: true }, [output(1, "pty", "no\r\n"), exited(2, 0), closed(3)]],
  ["exit 3", { tty: true }, [exited(1, 3), closed(2)]],
  ["kill -KILL $$", { tty: true }, [exited(1, 137), closed(2)]],
  ["kill -TERM $$", { tty: true }, [exited(1, 143), closed(2)]],
];

testBoth("events of a command", async ({ open }, t) => {
  for (const [script, more, events] of COMMANDS) {
    await t.step(`${script} ${JSON.stringify(more)}`, async () => {
      await using client = await open();
      await start(client, shell("p", script, more));
      assertEquals(await client.events("p"), events);
    });
  }
});

/** Says something as soon as the test has made a file. */
const LATE = "(until test -e go; do sleep 0.02; done; printf late) 2> /dev/null &";

testBoth("exit is told while a descendant holds the output", async ({ open }, t) => {
  const scripts = {
    "in its session": `${LATE} exit 7`,
    "in a session of its own": `setsid sh -c '${LATE}' ; exit 7`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    await t.step(name, async () => {
      using directory = new TemporaryDirectory();
      await using client = await open();
      await start(client, shell("p", script, { cwd: `file://${directory.path}` }));
      assertEquals(await client.event("p"), exited(1, 7));
      assertEquals((await client.request("process/read", { processId: "p" })).result, {
        chunks: [],
        nextSeq: 2,
        exited: true,
        exitCode: 7,
        closed: false,
        failure: null,
        sandboxDenied: false,
      });
      assertEquals(client.inbox.unclaimed, []);
      directory.write("go", "", 0o644);
      assertEquals(await client.events("p"), [output(2, "stdout", "late"), closed(3)]);
    });
  }
});

testBoth("events are dense, in order, and exit comes after what was written", async ({ open }) => {
  await using client = await open();
  const script = "head -c 3000000 /dev/zero; head -c 100000 /dev/zero >&2; printf end";
  const { events, stdout, stderr } = await run(client, shell("p", script));
  const seqs = events.map(({ params }) => isRecord(params) ? params.seq : undefined);
  assertEquals(seqs, events.map((_, index) => index + 1));
  assertEquals(events.slice(-2).map(({ method }) => method), ["process/exited", "process/closed"]);
  assertEquals([stdout.length, stderr.length], [3_000_003, 100_000]);
  assert(stdout.endsWith("end"));
});

testBoth("many short commands tell everything in order", async ({ open }) => {
  await using client = await open();
  const ids = Array.from({ length: 60 }, (_, index) => `p${index}`);
  await Promise.all(ids.map(async (processId) => {
    const { events } = await run(client, shell(processId, "echo out; echo err >&2; exit 5"));
    assertEquals(outputOf(events, "stdout"), "out\n");
    assertEquals(outputOf(events, "stderr"), "err\n");
    assertEquals(events.map(({ method }) => method), [
      "process/output",
      "process/output",
      "process/exited",
      "process/closed",
    ]);
  }));
});

testBoth("nothing is told of a process that says nothing", async ({ open }) => {
  await using client = await open();
  await start(client, shell("silent", "read line", { pipeStdin: true }));
  await start(client, shell("loud", "echo here; read line", { pipeStdin: true }));
  await waitForOutput(client, "loud", "here");
  assertEquals(client.inbox.unclaimed, []);
});
