import { memoryLimit } from "../os/memory_limit.ts";
import type { Configuration, Given } from "./configuration.ts";
import { MIN_MEMORY_BUDGET, MIN_MESSAGE_BYTES, type SettingName } from "./settings.ts";

/** The share of the memory that each may be where nobody decided. */
const SHARES = { memoryBudget: 1 / 4, maxMessageBytes: 1 / 16 } as const satisfies Partial<
  Record<SettingName, number>
>;

const LEAST = { memoryBudget: MIN_MEMORY_BUDGET, maxMessageBytes: MIN_MESSAGE_BYTES } as const;

/**
 * Lowers what nobody decided to what the memory allows, so that an executor survives in a small
 * container without being told of it.
 *
 * @param memory in bytes. @default what this program can have
 */
export function fitIntoMemory(
  configuration: Configuration,
  memory: number = memoryLimit(),
): Configuration {
  const lowered = new Map<SettingName, Given>();
  for (const name of ["memoryBudget", "maxMessageBytes"] as const) {
    const value = Math.max(LEAST[name], Math.floor(memory * SHARES[name]));
    const { layer } = configuration.origin(name);
    if (layer !== "built in" && layer !== "requirements") continue;
    if (value >= configuration.get(name)) continue;
    lowered.set(name, { value, origin: { layer: "memory", bytes: memory } });
  }
  return configuration.below(lowered);
}
