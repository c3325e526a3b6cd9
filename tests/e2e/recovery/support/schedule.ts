import type { Carriage, Fault } from "../../../support/faulty_path.ts";
import { pick, type Random, seededRandom } from "../../../support/seeded_random.ts";
import { bursts, echo, type Work } from "./work.ts";

const SILENCE_LIMIT_MS = 250;

/** How clients connect that are to come through a schedule. */
export const CLIENT_OPTIONS = {
  retryDelayMs: 10,
  silenceLimitMs: SILENCE_LIMIT_MS,
  connectTimeoutMs: 2000,
} as const;

/** What a seed decides. */
export interface Schedule {
  readonly works: readonly Work[];
  readonly carriages: readonly Carriage[];
  readonly slowConsumer: "fetchAgain" | "wait";
  readonly maxBufferedBytes: number;
}

/** The schedule of a seed, always the same. */
export function scheduleOf(seed: number): Schedule {
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
