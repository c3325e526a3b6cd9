import type { ExecServerClient } from "../client/mod.ts";
import { ConnectionError } from "../client/mod.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import {
  hostOf,
  JOB_OPTIONS,
  type JobReachOptions,
  jobSettings,
  type JobState,
  reachJobExecutor,
  stateOf,
} from "./job_command.ts";
import { Interrupted, Interruption } from "./ending_signals.ts";
import { JobError, type JobHandle, JobStore } from "./job_store.ts";
import { parseOptions } from "./setting_options.ts";
import { print, say } from "./standard_streams.ts";

const OPTIONS = {
  json: {
    type: "boolean",
    default: false,
    meaning: "print JSON: an array of objects with name, host, state, startedAt, exitCode, command",
  },
  ...JOB_OPTIONS,
} as const;

/** What is told of `remex jobs`. */
export const JOBS_MANUAL: CommandManual = {
  synopsis: "jobs [options]",
  description:
    `Lists the jobs that \`remex exec --detach\` has started from this machine. Their state is running,
ended, gone (the executor was restarted, or has kept the job as long as it had to), unreachable or
damaged.`,
  options: optionsHelp(OPTIONS),
  notes: () => "",
};

/** A job in the list. */
interface Row {
  readonly name: string;
  readonly host: string;
  readonly state: JobState["kind"] | "unreachable" | "damaged";
  /** In milliseconds since 1970. */
  readonly startedAt: number | undefined;
  readonly exitCode: number | undefined;
  readonly command: readonly string[];
}

/** `remex jobs`: lists jobs. Returns the exit code. */
export async function jobs(args: string[]): Promise<number> {
  const values = parseOptions("jobs", args, OPTIONS);
  if (values.help) {
    await print(usageText(JOBS_MANUAL));
    return 0;
  }
  const settings = await jobSettings(values.config, say);
  using interruption = new Interruption();
  const { signal } = interruption;
  try {
    const work = listed(new JobStore(), { ...settings, signal });
    const rows = await interruption.orInterrupted(work);
    await print(values.json ? `${JSON.stringify(rows.map(asJson), undefined, 2)}\n` : table(rows));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  }
}

async function listed(store: JobStore, settings: JobReachOptions): Promise<Row[]> {
  const rows: Promise<Row[]>[] = [];
  const byExecutor = new Map<string, JobHandle[]>();
  for (const name of store.names()) {
    try {
      const handle = store.get(name);
      const key = JSON.stringify(handle.executor);
      byExecutor.set(key, [...byExecutor.get(key) ?? [], handle]);
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      say(error.message);
      rows.push(Promise.resolve([damaged(name)]));
    }
  }
  for (const handles of byExecutor.values()) rows.push(statesOf(handles, settings));
  const all = (await Promise.all(rows)).flat();
  return all.sort((one, other) => (one.startedAt ?? 0) - (other.startedAt ?? 0));
}

/** The jobs of one executor, over one connection. */
async function statesOf(handles: readonly JobHandle[], settings: JobReachOptions): Promise<Row[]> {
  const [first] = handles;
  if (first === undefined) return [];
  let client: ExecServerClient | undefined;
  try {
    const reached = client = await reachJobExecutor(first.executor, {
      ...settings,
      // Several may be asked at once.
      interactive: false,
    });
    return await Promise.all(
      handles.map(async (handle) => row(handle, await stateOf(reached, handle))),
    );
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    if (error.code === "sessionExpired") return handles.map((one) => row(one, { kind: "gone" }));
    say(error.message);
    return handles.map((one) => row(one, { kind: "unreachable" }));
  } finally {
    await client?.close();
  }
}

function row(handle: JobHandle, state: JobState | { readonly kind: "unreachable" }): Row {
  const { name, executor, startedAt, command } = handle;
  const exitCode = state.kind === "ended" ? state.exitCode : undefined;
  return { name, host: hostOf(executor), state: state.kind, startedAt, exitCode, command };
}

function damaged(name: string): Row {
  const unknown = { host: "", startedAt: undefined, exitCode: undefined, command: [] };
  return { name, state: "damaged", ...unknown };
}

function asJson({ startedAt, ...rest }: Row): Record<string, unknown> {
  return { ...rest, startedAt: startedAt && new Date(startedAt).toISOString() };
}

const HEAD = ["NAME", "HOST", "STATE", "AGE", "EXIT", "COMMAND"];
const GAP = "  ";
/** Hosts and commands are cut to so many characters, with an ellipsis. */
const MAX_WIDTH = 40;

function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0))
  );
  return lines.map((line) =>
    `${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(GAP).trimEnd()}\n`
  ).join("");
}

function cells({ name, host, state, startedAt, exitCode, command }: Row): string[] {
  const age = startedAt === undefined ? "" : ageText(Date.now() - startedAt);
  return [name, cut(host), state, age, String(exitCode ?? ""), cut(command.join(" "))];
}

/** Nothing in it moves the cursor of a terminal. */
function cut(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "?");
  return plain.length > MAX_WIDTH ? `${plain.slice(0, MAX_WIDTH - 1)}…` : plain;
}

const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const;

/** A time in its largest unit: `3 h`. */
function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1] as const;
  return `${Math.floor(seconds / size)} ${unit}`;
}
