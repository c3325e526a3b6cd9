import type { CommandLimits } from "../process/command_limits.ts";
import * as z from "zod/mini";
import { inWords, type ValueType, valueType } from "./value_types.ts";

/** A program and its libraries need as much to be started at all, in bytes. */
const MIN_MEMORY = 4 * 1024 ** 2;
const MAX_MEMORY = 2 ** 50;
/** The kernel's greatest number of processes (PID_MAX_LIMIT). */
const MAX_PROCESSES = 2 ** 22;
/** The longest that a timer can wait, about 24 days, in seconds. */
const MAX_SECONDS = 2_000_000;

const UNITS = {
  bytes: { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 },
  processes: { "": 1 },
  seconds: { "": 1, s: 1, m: 60, h: 3600 },
} as const satisfies Record<string, Readonly<Record<string, number>>>;

const memory = () => z.int().check(z.gte(MIN_MEMORY), z.lte(MAX_MEMORY));
const processes = () => z.int().check(z.gte(1), z.lte(MAX_PROCESSES));

/** Each limit: what it is counted in, and what it may be. */
const LIMITS = {
  memory: { units: UNITS.bytes, schema: memory },
  processes: { units: UNITS.processes, schema: processes },
  time: {
    units: UNITS.seconds,
    schema: () => z.number().check(z.gt(0), z.lte(MAX_SECONDS)),
  },
  totalMemory: { units: UNITS.bytes, schema: memory },
  totalProcesses: { units: UNITS.processes, schema: processes },
} as const satisfies Record<keyof CommandLimits, unknown>;

type LimitName = keyof typeof LIMITS;

/** All of them, in the order in which they are written. */
export const LIMIT_NAMES: readonly LimitName[] = [
  "memory",
  "processes",
  "time",
  "totalMemory",
  "totalProcesses",
];

/** Limits of commands as a text: `memory=2GiB,processes=500,time=1h`. */
export function commandLimits(): ValueType<string> {
  return valueType({
    expected: `a list such as memory=2GiB,processes=500,time=1h of ${inWords(LIMIT_NAMES, "and")}`,
    placeholder: "LIMITS",
    fromText: (given) => given,
    schema: () => z.string().check(z.refine((value) => parseCommandLimits(value) !== undefined)),
  });
}

/** The limits that a text means, or undefined if it means none. */
export function parseCommandLimits(text: string): CommandLimits | undefined {
  const limits: { -readonly [Name in LimitName]?: number } = {};
  for (const part of text.split(",")) {
    const [, name = "", digits = "", unit = ""] = /^\s*(\w+)=([0-9.]+)(\w*)\s*$/.exec(part) ?? [];
    if (!isLimitName(name) || limits[name] !== undefined) return undefined;
    const { units, schema } = LIMITS[name];
    const factor = new Map<string, number>(Object.entries(units)).get(unit);
    if (factor === undefined) return undefined;
    const { data } = schema().safeParse(Number(digits) * factor);
    if (data === undefined) return undefined;
    limits[name] = data;
  }
  return limits;
}

/** The text that means the same; sizes in bytes and times in seconds. */
export function commandLimitsText(limits: CommandLimits): string {
  return LIMIT_NAMES.filter((name) => limits[name] !== undefined)
    .map((name) => `${name}=${limits[name]}`).join(",");
}

function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMITS, name);
}
