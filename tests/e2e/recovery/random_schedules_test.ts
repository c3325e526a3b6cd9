import { ConnectionError, ExecServerClient } from "../../../src/client/mod.ts";
import { pick, type Random, seededRandom } from "../../support/seeded_random.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually, settled } from "../../support/patience.ts";
import { type Carriage, type Fault, FaultyPath } from "../../support/faulty_path.ts";
import { inParallel } from "./support/in_parallel.ts";
import {
  assertDone,
  bursts,
  echo,
  reached,
  seeThrough,
  startWork,
  type Work,
} from "./support/work.ts";

/** To repeat one schedule: REMEX_TEST_SEEDS=17 or REMEX_TEST_SEEDS=1-2000. */
const [FIRST_SEED = 1, LAST_SEED = FIRST_SEED] = (Deno.env.get("REMEX_TEST_SEEDS") ?? "1-150")
  .split("-").map(Number);
const WIDTH = 10;
const SILENCE_LIMIT_MS = 250;

/** What a seed decides. */
interface Schedule {
  readonly works: readonly Work[];
  readonly carriages: readonly Carriage[];
  readonly slowConsumer: "fetchAgain" | "wait";
  readonly maxBufferedBytes: number;
}

function scheduleOf(seed: number): Schedule {
  const random = seededRandom(seed);
  return {
    works: Array.from({ length: 1 + random(2) }, () => workOf(random)),
    carriages: Array.from({ length: 1 + random(4) }, () => carriageOf(random)),
    slowConsumer: pick(random, ["fetchAgain", "wait"]),
    maxBufferedBytes: pick(random, [1000, 64 * 1024, 4 * 1024 * 1024]),
  };
}

function workOf(random: Random): Work {
  return random(2) === 0
    ? echo(1 + random(30), 1 + random(300))
    : bursts(1 + random(30), 1 + random(300));
}

function carriageOf(random: Random): Carriage {
  return {
    faults: Array.from({ length: 1 + random(3) }, () => faultOf(random)),
    ...random(3) === 0 ? { delayMs: random(8) } : {},
    ...random(3) === 0 ? { lingerMs: random(150) } : {},
  };
}

function faultOf(random: Random): Fault {
  return {
    direction: pick(random, ["toServer", "toClient"]),
    unit: random(random(2) === 0 ? 8 : 40),
    kind: pick<Fault["kind"]>(random, [
      { kind: "cut", where: "before" },
      { kind: "cut", where: "within" },
      { kind: "cut", where: "after" },
      { kind: "stall", milliseconds: random(SILENCE_LIMIT_MS * 2) },
      { kind: "vanish" },
    ]),
  };
}

Deno.test(`${LAST_SEED - FIRST_SEED + 1} random schedules of faults`, async () => {
  await using executor = await ListeningExecutor.start();
  const seeds = Array.from(
    { length: LAST_SEED - FIRST_SEED + 1 },
    (_, index) => FIRST_SEED + index,
  );
  await inParallel(WIDTH, seeds, async (seed) => {
    try {
      await carryOut(executor.url, scheduleOf(seed));
    } catch (cause) {
      throw new Error(`with seed ${seed}: ${cause}`, { cause });
    }
  });
});

/** Every piece of work is done to the byte, or was refused and left nothing behind. */
async function carryOut(url: string, schedule: Schedule): Promise<void> {
  const { works, carriages, slowConsumer, maxBufferedBytes } = schedule;
  await using path = new FaultyPath(url, (connection) => carriages[connection - 1] ?? {});
  await using marked = new MarkedProcesses();
  const client = await ExecServerClient.connect(path.url, {
    retryDelayMs: 10,
    silenceLimitMs: SILENCE_LIMIT_MS,
    connectTimeoutMs: 2000,
    slowConsumer,
    maxBufferedBytes,
  }).catch(refused);
  if (client === undefined) return;
  await Promise.all(works.map(async (work) => {
    const process = await startWork(client, work, marked.duration).catch(refused);
    if (process === undefined) return;
    assertDone(await settled(seeThrough(process, work), `the end of ${work.name}`), work);
  }));
  await reached(client);
  await eventually(() => marked.find().length === 0, "everything to be gone");
  await client.close();
}

/** A connection may break before there is anything to survive it. */
function refused(error: unknown): undefined {
  if (!(error instanceof ConnectionError)) throw error;
}
