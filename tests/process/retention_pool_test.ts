import { assertEquals } from "@std/assert";
import { DEFAULT_RETAINED_BYTES, EventLog } from "../../src/process/event_log.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";

const CHUNK = 256 * 1024;
const chunk = new Uint8Array(CHUNK);

function append(log: EventLog, bytes: number): void {
  for (let written = 0; written < bytes; written += CHUNK) log.appendOutput("stdout", chunk);
}

function retained(log: EventLog): number {
  return log.read({ afterSeq: 0, maxBytes: undefined }).chunks.length * CHUNK;
}

Deno.test("a pool gives what it has and takes it back", () => {
  const pool = new RetentionPool(10);
  assertEquals([pool.take(6), pool.take(5), pool.take(4)], [true, false, true]);
  pool.give(5);
  assertEquals(pool.take(5), true);
});

Deno.test("logs share a pool, and each has the default without it", () => {
  const limit = 8 * DEFAULT_RETAINED_BYTES;
  const pool = new RetentionPool(4 * DEFAULT_RETAINED_BYTES);
  const [first, second] = [new EventLog(limit, pool), new EventLog(limit, pool)];
  append(first, 2 * limit);
  append(second, limit);
  assertEquals(retained(first), 5 * DEFAULT_RETAINED_BYTES);
  assertEquals(retained(second), DEFAULT_RETAINED_BYTES);
  first.clear();
  append(second, limit);
  assertEquals(retained(second), 5 * DEFAULT_RETAINED_BYTES);
});

Deno.test("a log that has been cleared goes on with its numbers", () => {
  const log = new EventLog();
  append(log, CHUNK);
  log.clear();
  append(log, CHUNK);
  assertEquals(log.read({ afterSeq: 0, maxBytes: undefined }).chunks.map(({ seq }) => seq), [2]);
});
