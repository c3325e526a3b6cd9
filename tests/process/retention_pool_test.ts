import { EventLog } from "../../src/process/event_log.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { assertEquals } from "@std/assert";

const CHUNK = 1000;
const LIMIT = 100 * CHUNK;
const chunk = new Uint8Array(CHUNK);

function append(log: EventLog, chunks: number): void {
  for (let written = 0; written < chunks; written++) log.appendOutput("stdout", chunk);
}

/** The numbers of the oldest and the newest chunk that a log retains, and how many there are. */
function retained(log: EventLog): { chunks: number; oldest: number | undefined } {
  const { chunks } = log.read({ afterSeq: 0, maxBytes: undefined });
  return { chunks: chunks.length, oldest: chunks[0]?.seq };
}

function close(log: EventLog): void {
  log.appendExited(0, false);
  log.appendClosed();
}

Deno.test("all logs together keep no more than the pool's limit", () => {
  const pool = new RetentionPool(LIMIT);
  const logs = Array.from({ length: 30 }, () => new EventLog(LIMIT, pool));
  for (let round = 0; round < 50; round++) {
    for (const log of logs) {
      append(log, 1);
      assertEquals(pool.cost <= LIMIT, true);
    }
  }
  // An equal share of each is three chunks, whose numbers take some room too.
  for (const log of logs) assertEquals(retained(log).chunks >= 3, true);
});

Deno.test("output of processes that are closed goes first, the oldest first", () => {
  const pool = new RetentionPool(LIMIT);
  const [first, second, running] = Array.from({ length: 3 }, () => new EventLog(LIMIT, pool));
  if (first === undefined || second === undefined || running === undefined) throw new Error();
  append(second, 30);
  append(first, 30);
  close(first);
  close(second);
  append(running, 50);
  assertEquals([first, second, running].map((log) => retained(log).chunks), [0, 30, 50]);
  append(running, 40);
  assertEquals([first, second, running].map((log) => retained(log).chunks), [0, 0, 90]);
  append(running, 40);
  assertEquals(retained(running), { chunks: 98, oldest: 33 });
});

Deno.test("one that says much does not take the room of those that say little", () => {
  const pool = new RetentionPool(LIMIT);
  const [quiet, loud] = [new EventLog(LIMIT, pool), new EventLog(LIMIT, pool)];
  append(quiet, 10);
  append(loud, 1000);
  assertEquals(retained(quiet).chunks, 10);
  append(quiet, 1000);
  assertEquals([quiet, loud].map((log) => retained(log).chunks), [49, 49]);
});

Deno.test("what is cleared can be used again", () => {
  const pool = new RetentionPool(LIMIT);
  const [first, second] = [new EventLog(LIMIT, pool), new EventLog(LIMIT, pool)];
  append(first, 98);
  first.clear();
  assertEquals(pool.cost, 0);
  append(second, 98);
  assertEquals(retained(second).chunks, 98);
});

Deno.test("a log that has been cleared goes on with its numbers", () => {
  const log = new EventLog();
  append(log, 1);
  log.clear();
  append(log, 1);
  assertEquals(retained(log), { chunks: 1, oldest: 2 });
});
