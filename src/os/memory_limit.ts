import { groupNumber, ownControlGroups } from "./own_control_groups.ts";

/** A limit of a control group that is none: the largest number of pages that there can be. */
const UNLIMITED = 2 ** 62;

/**
 * How much memory this program can have, in bytes: the machine's, or less where a control group that
 * it belongs to, such as a container's, has less (cgroups(7)).
 */
export function memoryLimit(): number {
  const machine = Deno.systemMemoryInfo().total;
  if (Deno.build.os !== "linux") return machine;
  const limits = ownControlGroups("memory").map((group) =>
    groupNumber(group, group.version === 2 ? "memory.max" : "memory.limit_in_bytes") ?? Infinity
  );
  return Math.min(machine, ...limits.filter((limit) => limit > 0 && limit < UNLIMITED));
}
