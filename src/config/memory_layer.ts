import { memoryLimit } from "../os/memory.ts";
import type { Configuration, Given } from "./configuration.ts";
import { MIN_MEMORY_BUDGET, MIN_MESSAGE_BYTES, type SettingName } from "./settings.ts";

/** The largest share of the memory that each default may be. */
const SHARES = { memoryBudget: 1 / 4, maxMessageBytes: 1 / 16 } as const satisfies Partial<
  Record<SettingName, number>
>;

const LEAST = { memoryBudget: MIN_MEMORY_BUDGET, maxMessageBytes: MIN_MESSAGE_BYTES } as const;

/**
 * Lowers defaults to a share of the memory, so that an executor works in a small container without
 * settings for it.
 *
 * @param memory in bytes. @default the memory that this program may use
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
  return configuration.withOverrides(lowered);
}
