import type { ExecProcess, ExecServerClient } from "../client/mod.ts";
import { DEFAULT_DETACH_KEYS, DetachKeys } from "./escape_keys.ts";
import { forwardInput, forwardOutput } from "./exec_input.ts";
import { ForwardedSignals, GivenUp } from "./exec_signals.ts";
import { LocalTerminal } from "./exec_terminal.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import {
  exitCodeOf,
  JOB_OPTIONS,
  jobSettings,
  oneJob,
  reachJobExecutor,
  withJob,
} from "./job_command.ts";
import type { JobHandle } from "./job_store.ts";
import { parseOptionsAndNames } from "./setting_options.ts";
import { print } from "./standard_streams.ts";
import { farewell } from "./reach_executor.ts";

const OPTIONS = {
  "detach-keys": {
    type: "string",
    default: DEFAULT_DETACH_KEYS,
    placeholder: "KEYS",
    meaning:
      `keys that leave a job on a terminal: characters and ctrl-LETTER, with commas (default ` +
      `${DEFAULT_DETACH_KEYS})`,
  },
  ...JOB_OPTIONS,
} as const;

/** What is told of `remex attach`. */
export const ATTACH_MANUAL: CommandManual = {
  synopsis: "attach [options] NAME",
  description:
    `Follows a job: its output from now on comes here, and with it the exit code. A job that was started
with --tty gets the keys that are typed, and this terminal's size. It is taken over from another
client that was attached. The job runs on when this program ends: by Ctrl-C, by the detach keys of a
job with --tty, or otherwise.`,
  options: optionsHelp(OPTIONS),
  operands: { kind: "job" },
  notes: () => "",
};

/** `remex attach`: follows a job. Returns its exit code. */
export async function attach(args: string[]): Promise<number> {
  const { values, positionals } = parseOptionsAndNames("attach", args, OPTIONS);
  if (values.help) {
    await print(usageText(ATTACH_MANUAL));
    return 0;
  }
  const name = oneJob(positionals);
  const keys = new DetachKeys(values["detach-keys"]);
  using terminal = new LocalTerminal();
  using signals = new ForwardedSignals();
  const say = (message: string) => terminal.say(message);
  const settings = await jobSettings(values.config, say);
  return await withJob(name, say, async (handle) => {
    try {
      const client = await signals.orGivenUp(reachJobExecutor(handle.executor, {
        ...settings,
        signal: signals.signal,
        client: { resumeSessionId: handle.sessionId, takeOver: true },
      }));
      try {
        return await follow(client, handle, keys, terminal, signals);
      } finally {
        await farewell(client.detach());
      }
    } catch (error) {
      terminal.restore();
      const left = error instanceof GivenUp;
      if (left) say(`${name} runs on; \`remex attach ${name}\` comes back to it`);
      throw error;
    }
  });
}

async function follow(
  client: ExecServerClient,
  handle: JobHandle,
  keys: DetachKeys,
  terminal: LocalTerminal,
  signals: ForwardedSignals,
): Promise<number> {
  const { name, processId, tty } = handle;
  const say = (message: string) => terminal.say(message);
  const afterSeq = Number.MAX_SAFE_INTEGER;
  const now = await signals.orGivenUp(client.call("process/read", { processId, afterSeq }));
  if (now.exited) {
    say(`${name} has ended; \`remex logs ${name}\` shows what it wrote`);
    return exitCodeOf(now);
  }
  const process = await signals.orGivenUp(client.adopt(processId, now.nextSeq - 1));
  if (tty) {
    await signals.orGivenUp(redraw(process, terminal));
    terminal.follow(process, undefined);
    const connected = () => client.state === "connected";
    const giveUp = (reason: GivenUp) => signals.giveUp(reason);
    forwardInput(process, { tty, keys, leftCode: 0, end: false, say, connected, giveUp });
  }
  return await signals.orGivenUp(forwardOutput(process, signals, "output", say));
}

/**
 * Has a program draw its screen anew, which it does when the size changes: to another than this
 * terminal's first.
 */
async function redraw(process: ExecProcess, { size }: LocalTerminal): Promise<void> {
  if (size !== undefined) await process.resize({ ...size, rows: size.rows + 1 });
}
