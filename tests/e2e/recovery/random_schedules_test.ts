import { ConnectionError, ExecServerClient } from "../../../src/client/mod.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually, settled } from "../../support/patience.ts";
import { FaultyPath } from "../../support/faulty_path.ts";
import { inParallel } from "./support/in_parallel.ts";
import { CLIENT_OPTIONS, type Schedule, scheduleOf } from "./support/schedule.ts";
import { assertDone, reached, seeThrough, startWork } from "./support/work.ts";

/** To repeat one schedule: REMEX_TEST_SEEDS=17 or REMEX_TEST_SEEDS=1-2000. */
const [FIRST_SEED = 1, LAST_SEED = FIRST_SEED] = (Deno.env.get("REMEX_TEST_SEEDS") ?? "1-150")
  .split("-").map(Number);
const WIDTH = 10;

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
    ...CLIENT_OPTIONS,
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
