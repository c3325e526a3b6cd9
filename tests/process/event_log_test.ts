import { assertEquals, assertRejects } from "@std/assert";
import { EventLog } from "../../src/process/event_log.ts";

const everything = { afterSeq: 0, maxBytes: undefined };
/** Longer than any test takes: a wait that ends, ends for another reason. */
const LONG_MS = 2 ** 40;

function append(log: EventLog, ...texts: string[]): void {
  for (const text of texts) log.appendOutput("stdout", new TextEncoder().encode(text));
}

/** A log of chunks `a` (1), `bb` (2), `ccc` (3), the exit (4) and the close (5). */
function finishedLog(): EventLog {
  const log = new EventLog();
  append(log, "a", "bb", "ccc");
  log.appendExited(7, false);
  log.appendClosed();
  return log;
}

/** Whether a promise has settled once everything that was ready to happen has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const turn = new Promise<"pending">((resolve) => setTimeout(() => resolve("pending"), 0));
  return await Promise.race([promise, turn]) !== "pending";
}

Deno.test("events are numbered from 1 without gaps, whatever their kind", () => {
  const log = new EventLog();
  const events = [
    log.appendOutput("stdout", Uint8Array.of(1, 2)),
    log.appendOutput("stderr", Uint8Array.of(3)),
    log.appendExited(129, true),
    log.appendOutput("pty", new Uint8Array()),
    log.appendClosed(),
  ];
  assertEquals(events, [
    { kind: "output", seq: 1, stream: "stdout", bytes: Uint8Array.of(1, 2) },
    { kind: "output", seq: 2, stream: "stderr", bytes: Uint8Array.of(3) },
    { kind: "exited", seq: 3, exitCode: 129, sandboxDenied: true },
    { kind: "output", seq: 4, stream: "pty", bytes: new Uint8Array() },
    { kind: "closed", seq: 5 },
  ]);
});

Deno.test("a chunk keeps its bytes though the buffer they came in is used again", () => {
  const log = new EventLog();
  const buffer = Uint8Array.of(1, 2, 3);
  log.appendOutput("stdout", buffer);
  buffer.fill(0);
  assertEquals(log.read(everything).chunks, [{ seq: 1, stream: "stdout", chunk: "AQID" }]);
});

Deno.test("an answer tells how far the process has come", () => {
  const log = new EventLog();
  const states = [log.read(everything)];
  log.appendExited(3, true);
  states.push(log.read(everything));
  log.appendClosed();
  states.push(log.read(everything));
  const failure = null;
  assertEquals(states, [
    {
      chunks: [],
      nextSeq: 1,
      exited: false,
      exitCode: null,
      closed: false,
      failure,
      sandboxDenied: false,
    },
    {
      chunks: [],
      nextSeq: 2,
      exited: true,
      exitCode: 3,
      closed: false,
      failure,
      sandboxDenied: true,
    },
    {
      chunks: [],
      nextSeq: 3,
      exited: true,
      exitCode: 3,
      closed: true,
      failure,
      sandboxDenied: true,
    },
  ]);
});

Deno.test("a read returns the chunks after a number, as many as fit but always one", () => {
  const cases: [afterSeq: number, maxBytes: number | undefined, seqs: number[], next: number][] = [
    [0, undefined, [1, 2, 3], 6],
    [1, undefined, [2, 3], 6],
    [2, undefined, [3], 6],
    [3, undefined, [], 6],
    [5, undefined, [], 6],
    [99, undefined, [], 6],
    [0, 0, [1], 2],
    [0, 1, [1], 2],
    [0, 2, [1], 2],
    [0, 3, [1, 2], 3],
    [0, 5, [1, 2], 3],
    [0, 6, [1, 2, 3], 4],
    [0, 7, [1, 2, 3], 6],
    [1, 1, [2], 3],
    [2, 0, [3], 4],
    [3, 0, [], 6],
  ];
  const log = finishedLog();
  for (const [afterSeq, maxBytes, seqs, nextSeq] of cases) {
    const answer = log.read({ afterSeq, maxBytes });
    const name = `after ${afterSeq}, at most ${maxBytes}`;
    assertEquals(answer.chunks.map(({ seq }) => seq), seqs, name);
    assertEquals(answer.nextSeq, nextSeq, name);
    assertEquals([answer.exited, answer.exitCode, answer.closed], [true, 7, true], name);
  }
});

Deno.test("reading on from nextSeq finds every chunk once", () => {
  const log = finishedLog();
  const found: string[] = [];
  for (let afterSeq = 0; afterSeq < 5;) {
    const { chunks, nextSeq } = log.read({ afterSeq, maxBytes: 1 });
    found.push(...chunks.map(({ chunk }) => atob(chunk)));
    afterSeq = nextSeq - 1;
  }
  assertEquals(found, ["a", "bb", "ccc"]);
});

Deno.test("past the limit the oldest chunks are dropped whole, and their numbers with them", () => {
  const cases: [limit: number, texts: string[], retained: number[]][] = [
    [4, ["ab", "cd"], [1, 2]],
    [4, ["ab", "cd", "e"], [2, 3]],
    [4, ["ab", "cd", "efgh"], [3]],
    [4, ["a", "b", "c", "d", "e"], [2, 3, 4, 5]],
    [4, ["ab", "abcde"], []],
    [4, ["abcde", "f"], [2]],
    [0, ["a", ""], [2]],
  ];
  for (const [limit, texts, retained] of cases) {
    const log = new EventLog(limit);
    append(log, ...texts);
    const { chunks, nextSeq } = log.read(everything);
    assertEquals(chunks.map(({ seq }) => seq), retained, texts.join(" "));
    assertEquals(nextSeq, texts.length + 1, texts.join(" "));
  }
});

Deno.test("many small chunks are dropped and found like few large ones", () => {
  const log = new EventLog(2000);
  for (let seq = 1; seq <= 9000; seq++) {
    append(log, "x");
    const oldest = Math.max(1, seq - 1999);
    const [first] = log.read({ afterSeq: 0, maxBytes: 1 }).chunks;
    const newest = log.read({ afterSeq: seq - 1, maxBytes: undefined }).chunks;
    assertEquals([first?.seq, ...newest.map((chunk) => chunk.seq)], [oldest, seq]);
  }
  assertEquals(log.read({ afterSeq: 7500, maxBytes: undefined }).chunks.length, 1500);
});

Deno.test("there is news after a number: output, the exit, and the close in any case", () => {
  const steps: [step: (log: EventLog) => void, newsAfter: number[]][] = [
    [() => {}, []],
    [(log) => append(log, "a"), [0]],
    [(log) => log.appendExited(0, false), [0, 1]],
    [(log) => append(log, "b"), [0, 1, 2]],
    [(log) => log.appendClosed(), [0, 1, 2, 3, 4, 99]],
  ];
  const log = new EventLog();
  for (const [step, newsAfter] of steps) {
    step(log);
    assertEquals([0, 1, 2, 3, 4, 99].filter((seq) => log.hasNews(seq)), newsAfter);
  }
});

Deno.test("a wait ends with the news it is for, and not with other events", async () => {
  const cases: [afterSeq: number, until: number][] = [[0, 1], [1, 2], [2, 3], [3, 4], [99, 4]];
  const steps = [
    (log: EventLog) => append(log, "a"),
    (log: EventLog) => log.appendExited(0, false),
    (log: EventLog) => append(log, "b"),
    (log: EventLog) => log.appendClosed(),
  ];
  for (const [afterSeq, until] of cases) {
    const log = new EventLog();
    const waiting = log.waitForNews(afterSeq, LONG_MS, new AbortController().signal);
    for (const [index, step] of steps.entries()) {
      assertEquals(await isSettled(waiting), index >= until, `after ${afterSeq}: ${index}`);
      step(log);
    }
    await waiting;
  }
});

Deno.test("a wait that finds news ends at once, also when it was given up before", async () => {
  await finishedLog().waitForNews(5, LONG_MS, new AbortController().signal);
  await finishedLog().waitForNews(0, LONG_MS, AbortSignal.abort(new Error("given up")));
});

Deno.test("a wait ends without news when its time is over", async () => {
  const log = new EventLog();
  for (const milliseconds of [0, 1]) {
    await log.waitForNews(0, milliseconds, new AbortController().signal);
  }
  assertEquals(log.read(everything).nextSeq, 1);
});

Deno.test("a wait that is given up fails with the reason, before and during", async () => {
  const log = new EventLog();
  await assertRejects(
    () => log.waitForNews(0, LONG_MS, AbortSignal.abort(new Error("before"))),
    Error,
    "before",
  );
  const during = new AbortController();
  const waiting = log.waitForNews(0, LONG_MS, during.signal);
  during.abort(new Error("during"));
  await assertRejects(() => waiting, Error, "during");
  append(log, "late");
});

Deno.test("any number of readers wait for the same chunk, and each gets it", async () => {
  const log = new EventLog();
  const { signal } = new AbortController();
  const reads = Array.from({ length: 100 }, async () => {
    await log.waitForNews(0, LONG_MS, signal);
    return log.read(everything).chunks.length;
  });
  append(log, "a");
  assertEquals(await Promise.all(reads), Array(100).fill(1));
});

Deno.test("waits that have ended leave no listener behind", async () => {
  const controller = new AbortController();
  const counted = countListeners(controller.signal);
  const log = new EventLog();
  const waits = [0, 1, 99].map((seq) => log.waitForNews(seq, LONG_MS, controller.signal));
  await log.waitForNews(0, 1, controller.signal);
  append(log, "a");
  log.appendExited(0, false);
  log.appendClosed();
  await Promise.all(waits);
  assertEquals(counted.listeners, 0);
});

/** Counts what is added to a signal and not removed again. */
function countListeners(signal: AbortSignal): { readonly listeners: number } {
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  let listeners = 0;
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners++;
    add(type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners--;
    remove(type, listener);
  };
  return {
    get listeners() {
      return listeners;
    },
  };
}
