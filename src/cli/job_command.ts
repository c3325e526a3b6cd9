import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../log/log.ts";
import { reachSettings } from "./executor_options.ts";
import { CONFIG_OPTION, HELP_OPTION } from "./setting_options.ts";
import { UsageError } from "./usage_error.ts";
import { resolve } from "@std/path";
import {
  ConnectionError,
  ErrorCode,
  type ExecServerClient,
  ProcessError,
  type ReadOutcome,
  RpcError,
} from "../client/mod.ts";
import { GivenUp } from "./exec_signals.ts";
import { Interrupted } from "./ending_signals.ts";
import { type JobExecutor, type JobHandle, JobStore } from "./job_store.ts";
import {
  type ExecutorChoice,
  type ReachedExecutor,
  reachExecutor,
  type ReachOptions,
} from "./reach_executor.ts";
import { OUTPUT_CLOSED, OutputClosed } from "./standard_streams.ts";
import { OUT_OF_REACH, TIMED_OUT } from "./exit_codes.ts";

/** The options of every command on jobs. */
export const JOB_OPTIONS = { ...CONFIG_OPTION, ...HELP_OPTION } as const;

/** The names of jobs on a command line. @throws {UsageError} when there are none */
export function someJobs(names: readonly string[]): readonly string[] {
  if (names.length > 0) return names;
  throw new UsageError("give the names of jobs; `remex jobs` lists them");
}

/** The name of a job on a command line. @throws {UsageError} when there is none, or more than one */
export function oneJob([name, ...more]: readonly string[]): string {
  if (name !== undefined && more.length === 0) return name;
  throw new UsageError("give the name of one job; `remex jobs` lists them");
}

/** The settings of how executors are reached, from files and the environment. */
export async function jobSettings(
  configFile: string | undefined,
  say: (message: string) => void,
): Promise<JobReachOptions> {
  const { configuration } = await loadConfiguration({ commandLine: new Map(), configFile });
  const { log, ...times } = reachSettings(configuration);
  configureLog(log);
  return { ...times, say };
}

/** Greater than the number of any event: whoever reads after it learns of the state alone. */
const AFTER_ALL = Number.MAX_SAFE_INTEGER;

/** What it takes to reach an executor again; undefined if it ends with this program. */
export function rememberedExecutor(
  executor: ExecutorChoice,
  { ssh }: ReachedExecutor,
): JobExecutor | undefined {
  switch (executor.kind) {
    case "stdio":
      return undefined;
    case "via":
      return executor;
    case "url": {
      const { url, tokenFile } = executor;
      const path = url.startsWith("unix:") ? `unix:${resolve(url.slice("unix:".length))}` : url;
      return { kind: "url", url: path, tokenFile: tokenFile && resolve(tokenFile.path) };
    }
    case "ssh": {
      const { destination: { host, port }, sshCommand } = executor.options;
      const program = ssh?.program;
      return program && {
        kind: "ssh",
        host,
        port,
        sshCommand,
        program: { name: program.name, size: program.size },
      };
    }
  }
}

/** What people call the executor of a job. */
export function hostOf(executor: JobExecutor): string {
  switch (executor.kind) {
    case "url":
      return URL.parse(executor.url)?.host || executor.url;
    case "via":
      return executor.command;
    case "ssh":
      return executor.port === undefined ? executor.host : `${executor.host}:${executor.port}`;
  }
}

/** How the executor of a job is reached. */
export interface JobReachOptions
  extends
    Pick<ReachOptions, "connectTimeoutMs" | "reconnectTimeoutMs" | "say" | "signal" | "client"> {
  /** Whether ssh may ask for a passphrase. @default true */
  readonly interactive?: boolean;
}

/**
 * Connects to the executor of a job.
 *
 * @throws {ConnectionError} when it cannot be reached, also for want of a file with its token: nothing
 * of how it is reached was on the command line
 */
export async function reachJobExecutor(
  executor: JobExecutor,
  { interactive = true, ...options }: JobReachOptions,
): Promise<ExecServerClient> {
  try {
    const { client } = await reachExecutor(chosen(executor, interactive), {
      ...options,
      client: { pipelined: false, ...options.client },
    });
    return client;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new ConnectionError("unreachable", error.message, { cause: error });
  }
}

function chosen(executor: JobExecutor, interactive: boolean): ExecutorChoice {
  switch (executor.kind) {
    case "via":
      return executor;
    case "url": {
      const { url, tokenFile } = executor;
      const setting = "the token of the job's executor";
      return {
        kind: "url",
        url,
        setting: "the address of the job's executor",
        tokenFile: tokenFile === undefined ? undefined : { path: tokenFile, setting },
      };
    }
    case "ssh": {
      const { host, port, sshCommand, program } = executor;
      const destination = { host, port };
      return { kind: "ssh", options: { destination, sshCommand, existing: program, interactive } };
    }
  }
}

/** The state of a job, as its executor tells it. */
export type JobState =
  | { readonly kind: "running" }
  | { readonly kind: "ended"; readonly exitCode: number }
  /** The executor was restarted, or has kept the job as long as it had to. */
  | { readonly kind: "gone" };

/** Asks an executor for the state of a job. @throws {ConnectionError} when the connection is lost */
export async function stateOf(client: ExecServerClient, handle: JobHandle): Promise<JobState> {
  const { sessionId, processId } = handle;
  try {
    const read = await client.call("process/read", { sessionId, processId, afterSeq: AFTER_ALL });
    return read.exited ? { kind: "ended", exitCode: exitCodeOf(read) } : { kind: "running" };
  } catch (error) {
    if (isUnknown(error)) return { kind: "gone" };
    throw error;
  }
}

/** The exit code of a job, as `remex exec` has it. */
export function exitCodeOf({ exitCode, timedOut }: ReadOutcome): number {
  return timedOut ? TIMED_OUT : exitCode ?? 0;
}

/**
 * Does something about a job, and says what goes wrong with it. Returns the exit code.
 *
 * @throws {JobError} when there is no such job
 */
export async function withJob(
  name: string,
  say: (message: string) => void,
  body: (handle: JobHandle) => Promise<number>,
): Promise<number> {
  const handle = new JobStore().get(name);
  try {
    return await body(handle);
  } catch (error) {
    if (isUnknown(error)) return sayGone(handle, say);
    return explainJob(error, say);
  }
}

/** Whether an executor has answered that it does not know a session or a process. */
export function isUnknown(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.code === "sessionExpired";
  return error instanceof RpcError && error.code === ErrorCode.InvalidRequest;
}

/** Says that an executor does not know a job. Returns the exit code. */
export function sayGone({ name, executor }: JobHandle, say: (message: string) => void): number {
  say(
    `${name} is gone: the executor on ${
      hostOf(executor)
    } was restarted, or has kept it as long as ` +
      `it had to; \`remex rm ${name}\` forgets it`,
  );
  return OUT_OF_REACH;
}

/** Says what went wrong and returns the exit code. @throws what is not expected to go wrong */
function explainJob(error: unknown, say: (message: string) => void): number {
  if (error instanceof GivenUp || error instanceof Interrupted) return error.exitCode;
  if (error instanceof OutputClosed) return OUTPUT_CLOSED;
  if (error instanceof ConnectionError || error instanceof ProcessError) {
    say(error.message);
    return OUT_OF_REACH;
  }
  throw error;
}
