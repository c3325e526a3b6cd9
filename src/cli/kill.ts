import type { ExecServerClient, ProcessSignal } from "../client/mod.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import {
  JOB_OPTIONS,
  jobSettings,
  oneJob,
  reachJobExecutor,
  sayGone,
  stateOf,
  withJob,
} from "./job_command.ts";
import { Interruption } from "./ending_signals.ts";
import { JobError, type JobHandle } from "./job_store.ts";
import { parseOptionsAndNames } from "./setting_options.ts";
import { print, say } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";

const OPTIONS = {
  signal: {
    type: "string",
    short: "s",
    default: "TERM",
    placeholder: "SIGNAL",
    words: ["INT", "TERM", "HUP", "KILL"],
    meaning:
      "signal for the job and all that it has started in its group: INT, TERM, HUP or KILL, " +
      "or its number (default TERM; short: -s)",
  },
  ...JOB_OPTIONS,
} as const;

/** What is told of `remex kill`. */
export const KILL_MANUAL: CommandManual = {
  synopsis: "kill [options] NAME",
  description: "Sends a signal to a job.",
  options: optionsHelp(OPTIONS),
  operands: { kind: "job" },
  notes: () => "",
};

/** What the executor is asked for, by the names and numbers of signals. */
const SIGNALS: Readonly<Record<string, ProcessSignal | "kill">> = {
  INT: "interrupt",
  2: "interrupt",
  TERM: "terminate",
  15: "terminate",
  HUP: "hangup",
  1: "hangup",
  KILL: "kill",
  9: "kill",
};

/** `remex kill`: sends a signal to a job. Returns the exit code. */
export async function kill(args: string[]): Promise<number> {
  const { values, positionals } = parseOptionsAndNames("kill", args, OPTIONS);
  if (values.help) {
    await print(usageText(KILL_MANUAL));
    return 0;
  }
  const name = oneJob(positionals);
  const signal = signalOf(values.signal);
  const settings = await jobSettings(values.config, say);
  using interruption = new Interruption();
  return await withJob(name, say, async (handle) => {
    await using client = await interruption.orInterrupted(
      reachJobExecutor(handle.executor, { ...settings, signal: interruption.signal }),
    );
    return await interruption.orInterrupted(sendSignal(client, handle, signal));
  });
}

/** Returns the exit code. */
async function sendSignal(
  client: ExecServerClient,
  handle: JobHandle,
  signal: ProcessSignal | "kill",
): Promise<number> {
  const { name, sessionId, processId } = handle;
  const state = await stateOf(client, handle);
  if (state.kind === "gone") return sayGone(handle, say);
  if (state.kind === "ended") throw new JobError(`${name} has ended already`);
  if (signal === "kill") await client.call("process/terminate", { sessionId, processId });
  else await client.call("process/signal", { sessionId, processId, signal });
  return 0;
}

/** @throws {UsageError} */
function signalOf(text: string): ProcessSignal | "kill" {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const signal = Object.hasOwn(SIGNALS, name) ? SIGNALS[name] : undefined;
  if (signal !== undefined) return signal;
  throw new UsageError(`--signal: \`${text}\` is not INT, TERM, HUP or KILL`);
}
