import {
  ConnectionError,
  type ExecServerClient,
  type ReadOptions,
  type ReadOutcome,
} from "../client/mod.ts";
import { writeOutput } from "./exec_input.ts";
import { ForwardedSignals } from "./exec_signals.ts";
import { LocalTerminal } from "./exec_terminal.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import { JOB_OPTIONS, jobSettings, oneJob, reachJobExecutor, withJob } from "./job_command.ts";
import type { JobHandle } from "./job_store.ts";
import { parseOptionsAndNames } from "./setting_options.ts";
import { print } from "./standard_streams.ts";

const OPTIONS = {
  follow: {
    type: "boolean",
    short: "f",
    default: false,
    meaning: "go on until the job's output ends (short: -f)",
  },
  ...JOB_OPTIONS,
} as const;

/** What is told of `remex logs`. */
export const LOGS_MANUAL: CommandManual = {
  synopsis: "logs [options] NAME",
  description:
    `Prints what a job has written, as far as its executor keeps it: to standard output, and to standard
error what it wrote there. Whoever is attached to the job stays so.`,
  options: optionsHelp(OPTIONS),
  operands: { kind: "job" },
  notes: () => "",
};

/** Output asked for in one read, in bytes. */
const READ_BYTES = 1024 * 1024;
/** How long a read waits for more, in milliseconds. */
const WAIT_MS = 20_000;

/** `remex logs`: prints a job's output. Returns the exit code. */
export async function logs(args: string[]): Promise<number> {
  const { values, positionals } = parseOptionsAndNames("logs", args, OPTIONS);
  if (values.help) {
    await print(usageText(LOGS_MANUAL));
    return 0;
  }
  const name = oneJob(positionals);
  using terminal = new LocalTerminal();
  using signals = new ForwardedSignals();
  const say = (message: string) => terminal.say(message);
  const settings = await jobSettings(values.config, say);
  return await withJob(name, say, async (handle) => {
    await using client = await signals.orGivenUp(
      reachJobExecutor(handle.executor, { ...settings, signal: signals.signal }),
    );
    await signals.orGivenUp(copyOutput(client, handle, values.follow, say));
    return 0;
  });
}

async function copyOutput(
  client: ExecServerClient,
  handle: JobHandle,
  follow: boolean,
  say: (message: string) => void,
): Promise<void> {
  let [seen, exitSeen] = [0, false];
  while (true) {
    const read = await readAgain(client, handle, {
      afterSeq: seen,
      maxBytes: READ_BYTES,
      waitMs: follow ? WAIT_MS : 0,
    });
    const [first] = read.chunks;
    // The exit has a number among those of output that came after it.
    const known = seen + (read.exited && !exitSeen ? 2 : 1);
    if (first !== undefined && first.seq > known) say("output is missing here: it was dropped");
    for (const { stream, chunk } of read.chunks) {
      await writeOutput(stream === "stderr" ? "stderr" : "stdout", chunk);
    }
    exitSeen ||= read.exited && read.chunks.length === 0;
    seen = read.nextSeq - 1;
    if (read.chunks.length === 0 && (read.closed || !follow)) return;
  }
}

/** Reads, again if the connection is lost: a read changes nothing. */
async function readAgain(
  client: ExecServerClient,
  { sessionId, processId }: JobHandle,
  options: ReadOptions,
): Promise<ReadOutcome> {
  while (true) {
    try {
      return await client.call("process/read", { sessionId, processId, ...options });
    } catch (error) {
      if (!(error instanceof ConnectionError) || error.code !== "lost") throw error;
    }
  }
}
