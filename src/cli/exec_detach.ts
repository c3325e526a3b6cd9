import {
  type ClientOptions,
  ConnectionError,
  type ExecProcess,
  type ExecServerClient,
  RpcError,
} from "../client/mod.ts";
import type { ExecOptions } from "./exec_options.ts";
import type { ForwardedSignals } from "./exec_signals.ts";
import { farewell, type ReachedExecutor } from "./reach_executor.ts";
import {
  type JobReachOptions,
  reachJobExecutor,
  rememberedExecutor,
  stateOf,
} from "./job_command.ts";
import { isJobName, type JobHandle, JobStore, taken } from "./job_store.ts";
import { print } from "./standard_streams.ts";
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
 * @throws {UsageError} for what cannot be a job's name
 * @throws {JobError} when there is one of that name already, or none can be remembered
 */
export function jobRetention({ name, retentionMs }: JobOptions): ClientOptions {
  if (name !== undefined && !isJobName(name)) {
    throw new UsageError(
      `--name: \`${name}\` is not a letter or digit and up to 63 more, with dots, dashes and ` +
        "underscores",
    );
  }
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
 * Starts a command, leaves it to itself and prints its name. If that fails, nothing is left of it, or
 * its handle is: whoever ends this program, no job runs that nobody can find.
 */
export async function startJob(launch: Launch): Promise<void> {
  const { reached, options, signals, say, start } = launch;
  const { client } = reached;
  const grantedMs = await signals.orGivenUp(grantedRetention(client));
  const executor = rememberedExecutor(options.executor, reached);
  if (executor === undefined) throw new UsageError("--detach needs an executor that runs on");
  const { sessionId } = await client.opened;
  const store = new JobStore();
  const handle = remember(store, options.job.name, {
    executor,
    sessionId,
    processId: "job",
    command: [...options.command],
    tty: options.tty,
    startedAt: Date.now(),
  });
  const { name } = handle;
  const mayRun = () => say(`${name} may be running; \`remex jobs\` tells`);
  try {
    await signals.orGivenUp(start(handle.processId));
  } catch (error) {
    // A connection that has broken is waited for as long as the user does.
    const ended = error instanceof RpcError ? Promise.resolve(true) : endSession(client);
    const givenUp = await signals.orGivenUp(ended).then(() => undefined, (reason) => reason);
    if (await farewell(ended)) store.remove(name);
    else mayRun();
    throw givenUp ?? error;
  }
  if (grantedMs < options.job.retentionMs) {
    say(`the executor keeps ${name} for ${grantedMs / 1000} s while nobody is attached`);
  }
  await client.detach();
  if (executor.kind === "via") {
    const gone = await signals.orGivenUp(
      isGone(handle, { ...options, say, signal: signals.signal }),
    ).catch((error) => {
      mayRun();
      throw error;
    });
    if (gone) {
      store.remove(name);
      throw new ConnectionError(
        "lost",
        "the executor behind --via ends with the connection, and the command with it; lead to one " +
          "that runs on, as `remex bridge unix:PATH` does",
      );
    }
  }
  await print(`${name}\n`);
}

/** How long a job is kept, in milliseconds. @throws {UsageError} for an executor that cannot keep one */
async function grantedRetention(client: ExecServerClient): Promise<number> {
  const { environmentInfo, sessionRetentionMs } = await client.opened;
  if (sessionRetentionMs !== undefined && environmentInfo?.capabilities?.otherSessions === true) {
    return sessionRetentionMs;
  }
  throw new UsageError("--detach: this executor cannot keep a command; it is another program");
}

function remember(
  store: JobStore,
  name: string | undefined,
  job: Omit<JobHandle, "name">,
): JobHandle {
  if (name === undefined) return store.addUnnamed(job);
  const handle = { ...job, name };
  store.add(handle);
  return handle;
}

/** Ends a session in which a command may have been started. Returns whether that was confirmed. */
function endSession(client: ExecServerClient): Promise<boolean> {
  return client.call("session/end", {}).then(() => true, () => false);
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
