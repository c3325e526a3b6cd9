import { assert, assertInstanceOf } from "@std/assert";
import { ConnectionError, ExecServerClient } from "../../../src/client/mod.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually, settled } from "../../support/patience.ts";
import {
  type Carriage,
  type Direction,
  type Fault,
  FaultyPath,
} from "../../support/faulty_path.ts";
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

const WIDTH = 6;

/** How a piece of work went over a path with faults. */
interface Outcome {
  readonly path: FaultyPath;
  /** Set when the work could not even be started. */
  readonly refused: unknown;
}

/**
 * After so long a silence a client takes its connection for lost, in milliseconds: soon where it is to
 * find that out, and late elsewhere, as a busy machine may be silent for seconds.
 */
const SILENCE_LIMIT_MS = { vanish: 2_000, cut: 20_000, stall: 20_000 };

/** Does a piece of work over a path whose first connection suffers a fault. */
async function workThrough(
  url: string,
  work: Work,
  first: Carriage,
  silenceLimitMs: number,
): Promise<Outcome> {
  await using path = new FaultyPath(url, (connection) => connection === 1 ? first : {});
  const marked = new MarkedProcesses();
  await using _leftovers = marked;
  let client: ExecServerClient | undefined;
  try {
    client = await ExecServerClient.connect(path.url, {
      retryDelayMs: 10,
      silenceLimitMs,
      connectTimeoutMs: 10_000,
    });
    const process = await startWork(client, work, marked.duration);
    assertDone(await settled(seeThrough(process, work), "the work's end"), work);
    return { path, refused: undefined };
  } catch (refused) {
    if (!(refused instanceof ConnectionError)) throw refused;
    if (client !== undefined && client.state !== "ended") {
      await reached(client);
      await eventually(() => marked.find().length === 0, "what was started to be gone");
    }
    return { path, refused };
  } finally {
    await client?.close();
  }
}

/** The units that the answers to initialize and start are, in both directions. */
const STARTED: Record<Direction, number> = { toServer: 3, toClient: 2 };

for (const work of [echo(12, 300), bursts(12, 300)]) {
  for (const direction of ["toServer", "toClient"] as const) {
    for (const where of ["before", "within", "after"] as const) {
      Deno.test(`${work.name}: cut ${where} each message ${direction}`, async () => {
        await everyUnit(work, direction, { kind: "cut", where });
      });
    }
    Deno.test(`${work.name}: stalled at each message ${direction}`, async () => {
      await everyUnit(work, direction, { kind: "stall", milliseconds: 60 });
    });
    Deno.test(`${work.name}: everything lost from each message ${direction} on`, async () => {
      await everyUnit(work, direction, { kind: "vanish" });
    });
  }
}

/** Lets one fault strike each of a direction's messages in turn. */
async function everyUnit(work: Work, direction: Direction, kind: Fault["kind"]): Promise<void> {
  await using executor = await ListeningExecutor.start();
  const silenceLimitMs = SILENCE_LIMIT_MS[kind.kind];
  const { path } = await workThrough(executor.url, work, {}, SILENCE_LIMIT_MS.cut);
  const units = path.traffic[0]?.[direction] ?? 0;
  assert(units > 4, `only ${units} messages ${direction}`);
  await inParallel(WIDTH, Array(units).keys(), async (unit) => {
    const faults = [{ direction, unit, kind }];
    const { refused } = await workThrough(executor.url, work, { faults }, silenceLimitMs);
    if (refused === undefined) return;
    assertInstanceOf(refused, ConnectionError);
    assert(unit <= STARTED[direction], `message ${unit}: ${refused.message}`);
  });
}
