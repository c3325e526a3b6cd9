import { type ClientOptions, ConnectionError, type ExecProcess } from "../client/mod.ts";
import type { ExecOptions } from "./exec_options.ts";
import type { ForwardedSignals } from "./exec_signals.ts";
import {
  type JobReachOptions,
  reachJobExecutor,
  rememberedExecutor,
  stateOf,
} from "./job_executor.ts";
import { type JobHandle, JobStore, taken } from "./job_store.ts";
import type { ReachedExecutor } from "./reach_executor.ts";
import { print } from "./standard_output.ts";
import { UsageError } from "./usage_error.ts";

/** A command that is to run on without this program. */
export interface JobOptions {
  /** @default one made from the program's */
  readonly name: string | undefined;
  /** How long the executor is to keep it while nobody is attached, in milliseconds. */
  readonly retentionMs: number;
}

/**
 * What the executor is asked for so that a job can be found again.
 *
 * @throws {JobError} when there is one of that name already, or none can be remembered
 */
export function jobRetention({ name, retentionMs }: JobOptions): ClientOptions {
  const names = new JobStore().names();
  if (name !== undefined && names.includes(name)) throw taken(name);
  return { sessionRetentionMs: retentionMs, retainOnDisk: true };
}

/** What starting a job takes. */
export interface Launch {
  readonly reached: ReachedExecutor;
  readonly options: ExecOptions & { readonly job: JobOptions };
  readonly signals: ForwardedSignals;
  readonly say: (message: string) => void;
  /** Starts the command under this id. */
  readonly start: (processId: string) => Promise<ExecProcess>;
}

/**
 * Starts a command, leaves it to itself and prints its name. If that fails, nothing is left of it.
 *
 * The handle is written before the command starts, so that whatever ends this program, no job runs
 * that nobody can find.
 */
export async function startJob(launch: Launch): Promise<void> {
  const { reached, options, signals, say, start } = launch;
  const { client } = reached;
  await signals.orGivenUp(requireRetention(launch));
  const executor = rememberedExecutor(options.executor, reached);
  if (executor === undefined) throw new UsageError("--detach needs an executor that runs on");
  const { sessionId } = await client.opened;
  const store = new JobStore();
  const handle: JobHandle = {
    name: options.job.name ?? store.freeName(options.command[0]),
    executor,
    sessionId,
    processId: "job",
    command: [...options.command],
    tty: options.tty,
    startedAt: Date.now(),
  };
  store.add(handle);
  try {
    await signals.orGivenUp(start(handle.processId));
  } catch (error) {
    store.remove(handle.name);
    throw error;
  }
  await client.detach();
  if (executor.kind === "via" && await signals.orGivenUp(isGone(handle, { ...options, say }))) {
    store.remove(handle.name);
    throw new ConnectionError(
      "lost",
      "the executor behind --via ends with the connection, and the command with it; lead to one " +
        "that runs on, as `remex bridge unix:PATH` does",
    );
  }
  await print(`${handle.name}\n`);
}

/** @throws {UsageError} for an executor that cannot keep a job */
async function requireRetention({ reached, options, say }: Launch): Promise<void> {
  const { environmentInfo, sessionRetentionMs } = await reached.client.opened;
  if (
    sessionRetentionMs === undefined || environmentInfo?.capabilities?.otherSessions !== true
  ) {
    throw new UsageError("--detach: this executor cannot keep a command; it is another program");
  }
  if (sessionRetentionMs >= options.job.retentionMs) return;
  say(`the executor keeps it for ${sessionRetentionMs / 1000} s while nobody is attached`);
}

/** Whether a job has ended with the connection: a command may lead to an executor of its own. */
async function isGone(handle: JobHandle, options: JobReachOptions): Promise<boolean> {
  try {
    await using client = await reachJobExecutor(handle.executor, options);
    return (await stateOf(client, handle)).kind === "gone";
  } catch (error) {
    // The job may be there all the same.
    if (error instanceof ConnectionError) return false;
    throw error;
  }
}
