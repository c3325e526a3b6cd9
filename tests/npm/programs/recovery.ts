/** Work over paths with faults, by the npm package. Standard input says what and where. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { ConnectionError, ExecServerClient } from "../../../src/client/mod.ts";
import { settled } from "../../support/patience.ts";
import { CLIENT_OPTIONS, type Schedule } from "../../e2e/recovery/support/schedule.ts";
import { assertDone, reached, seeThrough, startWork } from "../../e2e/recovery/support/work.ts";
import { registerTest, runTests } from "./test_runner.ts";

/** A schedule that the path to an executor carries out. */
export interface Assignment {
  readonly seed: number;
  readonly url: string;
  readonly schedule: Schedule;
  /** What the command lines of the work have. */
  readonly marker: string;
}

async function carryOut({ url, schedule, marker }: Assignment): Promise<void> {
  const { works, slowConsumer, maxBufferedBytes } = schedule;
  const options = { ...CLIENT_OPTIONS, slowConsumer, maxBufferedBytes };
  const client = await ExecServerClient.connect(url, options).catch(refused);
  if (client === undefined) return;
  await Promise.all(works.map(async (work) => {
    const process = await startWork(client, work, marker).catch(refused);
    if (process === undefined) return;
    assertDone(await settled(seeThrough(process, work), `the end of ${work.name}`), work);
  }));
  await reached(client);
  await client.close();
}

/** A connection may break before there is anything to survive it. */
function refused(error: unknown): undefined {
  if (!(error instanceof ConnectionError)) throw error;
}

const pieces: Uint8Array[] = [];
for await (const piece of process.stdin) pieces.push(piece);
const assignments: Assignment[] = JSON.parse(Buffer.concat(pieces).toString());
for (const assignment of assignments) {
  registerTest({ name: `seed ${assignment.seed}`, fn: () => carryOut(assignment) });
}
await runTests();
