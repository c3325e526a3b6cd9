import { ConnectionError, type ExecServerClient } from "../client/mod.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import {
  isUnknown,
  JOB_OPTIONS,
  type JobReachOptions,
  jobSettings,
  reachJobExecutor,
  someJobs,
  stateOf,
} from "./job_command.ts";
import { Interrupted, Interruption } from "./ending_signals.ts";
import { JobError, type JobHandle, JobStore } from "./job_store.ts";
import { parseOptionsAndNames } from "./setting_options.ts";
import { print, say } from "./standard_streams.ts";
import { OUT_OF_REACH } from "./exit_codes.ts";

const OPTIONS = {
  force: {
    type: "boolean",
    short: "f",
    default: false,
    meaning: "end a job that runs, and forget one whose executor is out of reach (short: -f)",
  },
  ...JOB_OPTIONS,
} as const;

/** What is told of `remex rm`. */
export const RM_MANUAL: CommandManual = {
  synopsis: "rm [options] NAME...",
  description: `Forgets jobs that have ended, here and on their executors, with their output.`,
  options: optionsHelp(OPTIONS),
  operands: { kind: "job" },
  notes: () => "",
};

const FAILED = 1;

/** `remex rm`: forgets jobs. Returns the exit code. */
export async function rm(args: string[]): Promise<number> {
  const { values, positionals } = parseOptionsAndNames("rm", args, OPTIONS);
  if (values.help) {
    await print(usageText(RM_MANUAL));
    return 0;
  }
  const names = someJobs(positionals);
  const settings = await jobSettings(values.config, say);
  const store = new JobStore();
  using interruption = new Interruption();
  let code = 0;
  for (const name of new Set(names)) {
    try {
      await forget(store, name, values.force, { settings, interruption });
    } catch (error) {
      if (error instanceof Interrupted) return error.exitCode;
      const outOfReach = error instanceof ConnectionError;
      if (!outOfReach && !(error instanceof JobError)) throw error;
      const fix = outOfReach ? `; \`remex rm --force ${name}\` forgets the job here alone` : "";
      say(error.message + fix);
      code = outOfReach ? OUT_OF_REACH : FAILED;
    }
  }
  return code;
}

async function forget(
  store: JobStore,
  name: string,
  force: boolean,
  { settings, interruption }: {
    readonly settings: JobReachOptions;
    readonly interruption: Interruption;
  },
): Promise<void> {
  try {
    const handle = store.get(name);
    await using client = await interruption.orInterrupted(
      reachJobExecutor(handle.executor, { ...settings, signal: interruption.signal }),
    );
    await interruption.orInterrupted(endSession(client, handle, force));
  } catch (error) {
    const overlooked = error instanceof ConnectionError || error instanceof JobError;
    if (!isUnknown(error) && !(force && overlooked)) throw error;
    if (force && error instanceof ConnectionError && !isUnknown(error)) {
      say(`${error.message}; ${name} is forgotten here alone`);
    }
  }
  store.remove(name);
}

async function endSession(
  client: ExecServerClient,
  handle: JobHandle,
  force: boolean,
): Promise<void> {
  const { name, sessionId } = handle;
  if ((await stateOf(client, handle)).kind === "running" && !force) {
    throw new JobError(
      `${name} is running; \`remex kill ${name}\` or \`remex rm --force ${name}\``,
    );
  }
  await client.call("session/end", { sessionId });
}
