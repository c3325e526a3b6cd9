import { assert, assertEquals } from "@std/assert";
import { EventLog } from "../../src/process/event_log.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { Spool, SpoolDirectory, type SpoolPools } from "../../src/process/spool.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const MIB = 1024 * 1024;
const LIMIT = 4 * MIB;

/** A log of 1 KiB chunks, each of which is full of its number. */
class FilledLog {
  readonly log: EventLog;
  readonly memory = new RetentionPool();

  constructor(spool: Spool) {
    this.log = new EventLog(MIB, this.memory, spool);
  }

  fill(chunks: number): void {
    for (let chunk = 1; chunk <= chunks; chunk++) {
      this.log.appendOutput(chunk % 2 === 0 ? "stderr" : "stdout", filled(chunk));
    }
  }

  /** The numbers of the chunks that are retained, each of which is as it was. */
  retained(): number[] {
    const found: number[] = [];
    for (let afterSeq = 0, more = true; more;) {
      const { chunks } = this.log.read({ afterSeq, maxBytes: MIB });
      for (const { seq, stream, chunk } of chunks) {
        assertEquals(stream, seq % 2 === 0 ? "stderr" : "stdout");
        assertEquals(chunk, filled(seq).toBase64());
        found.push(seq);
      }
      afterSeq = found.at(-1) ?? 0;
      more = chunks.length > 0;
    }
    return found;
  }
}

function filled(seq: number): Uint8Array {
  return new Uint8Array(1024).fill(seq % 251);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function spoolIn(path: string, limitBytes = LIMIT): Spool {
  const directory = new SpoolDirectory([path], limitBytes);
  assert(directory.available);
  return directory.open();
}

function unlimited(): SpoolPools {
  return { bytes: new RetentionPool(), files: new RetentionPool() };
}

Deno.test("output that does not stay in memory is read from files, which have no names", () => {
  using directory = new TemporaryDirectory();
  const all = new FilledLog(spoolIn(`${directory.path}/output`));
  all.fill(3000);
  assert(all.memory.cost <= 300 * 1024, `${all.memory.cost} bytes in memory`);
  assertEquals(all.retained(), range(1, 3000));
  assertEquals([...Deno.readDirSync(`${directory.path}/output`)], []);
  all.log.clear();
  assertEquals([all.retained(), all.memory.cost], [[], 0]);
});

Deno.test("the oldest output is dropped, so that files hold no more than they may", () => {
  using directory = new TemporaryDirectory();
  const spools = new SpoolDirectory([`${directory.path}/output`], LIMIT);
  assert(spools.available);
  const { bytes: pool } = spools.pools;
  const all = new FilledLog(spools.open());
  all.fill(10_000);
  const retained = all.retained();
  assert(pool.cost <= LIMIT && pool.cost > LIMIT / 2, `${pool.cost} bytes in files`);
  assertEquals(retained, range(10_000 - retained.length + 1, 10_000));
  assert(retained.length > 3000);
  const other = new FilledLog(spools.open());
  other.fill(10_000);
  assert(pool.cost <= LIMIT);
  assert(all.retained().length > 1000 && other.retained().length > 1000, "each has a share");
  for (const { log } of [all, other]) log.clear();
  assertEquals(pool.cost, 0);
});

Deno.test("a process that has little memory for its output keeps it in files all the same", () => {
  using directory = new TemporaryDirectory();
  const all = new FilledLog(spoolIn(`${directory.path}/output`));
  all.fill(100);
  all.log.shrink(0);
  assertEquals(all.memory.cost, 0);
  assert(all.log.hasNews(99) && !all.log.hasNews(100));
  assertEquals(all.retained(), range(1, 100));
  all.log.clear();
});

Deno.test("where files cannot be written the newest output is kept in memory", () => {
  const full = () => {
    throw new Error("No space left on device");
  };
  const all = new FilledLog(new Spool(full, unlimited(), MIB));
  all.fill(3000);
  const retained = all.retained();
  assertEquals(retained, range(3000 - retained.length + 1, 3000));
  assertEquals(retained.length, 1024);
});

Deno.test("a disk that is full for a while costs the oldest output only", () => {
  using directory = new TemporaryDirectory();
  let room = 3;
  const create = () => {
    if (room === 0) throw new Error("No space left on device");
    room--;
    const path = `${directory.path}/file`;
    const file = Deno.openSync(path, { read: true, write: true, create: true, truncate: true });
    Deno.removeSync(path);
    const close = file.close.bind(file);
    return Object.assign(file, {
      close: () => {
        room++;
        close();
      },
    });
  };
  const all = new FilledLog(new Spool(create, unlimited(), MIB));
  all.fill(10_000);
  const retained = all.retained();
  assertEquals(retained, range(10_000 - retained.length + 1, 10_000));
  assert(retained.length > 2048, `${retained.length} chunks`);
  all.log.clear();
});

Deno.test("what a killed executor has left is removed, and what others can read is not used", () => {
  using directory = new TemporaryDirectory();
  const [open, own] = [`${directory.path}/open`, `${directory.path}/own`];
  Deno.mkdirSync(open);
  Deno.chmodSync(open, 0o755);
  Deno.mkdirSync(own, { mode: 0o700 });
  Deno.writeTextFileSync(`${own}/output-left`, "left");
  Deno.writeTextFileSync(`${own}/other`, "another's");
  const spools = new SpoolDirectory(["/proc/none", open, own], LIMIT);
  assert(spools.available);
  assertEquals(Array.from(Deno.readDirSync(own), ({ name }) => name), ["other"]);
  assertEquals(new SpoolDirectory([open], LIMIT).available, false);
});

Deno.test("files of processes that have ended go before those of processes that run", () => {
  using directory = new TemporaryDirectory();
  const spools = new SpoolDirectory([`${directory.path}/output`], LIMIT);
  assert(spools.available);
  const logs = Array.from({ length: 3 }, () => new FilledLog(spools.open()));
  const [ended, running, newest] = logs;
  ended?.fill(2000);
  running?.fill(2000);
  ended?.log.appendClosed();
  newest?.fill(2000);
  assertEquals(running?.retained(), range(1, 2000));
  assertEquals(newest?.retained(), range(1, 2000));
  assert((ended?.retained().length ?? 0) < 1000);
  for (const { log } of logs) log.clear();
  assertEquals([spools.pools.bytes.cost, spools.pools.files.cost], [0, 0]);
});

Deno.test("no more files are open than may be: those of ended processes make room, others do not", () => {
  using directory = new TemporaryDirectory();
  const spools = new SpoolDirectory([`${directory.path}/output`], 4 * LIMIT, 4);
  assert(spools.available);
  const logs = Array.from({ length: 6 }, () => new FilledLog(spools.open()));
  for (const log of logs) log.fill(1500);
  assertEquals(spools.pools.files.cost, 4);
  const whole = logs.map((log) => log.retained().length === 1500);
  assertEquals(whole, [true, true, true, true, false, false]);
  logs[0]?.log.appendClosed();
  const late = new FilledLog(spools.open());
  late.fill(1500);
  assertEquals([spools.pools.files.cost, late.retained().length], [4, 1500]);
  for (const { log } of [...logs, late]) log.clear();
});
