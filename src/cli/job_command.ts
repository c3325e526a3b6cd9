import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../log/log.ts";
import { reachSettings } from "./executor_options.ts";
import { CONFIG_OPTION, HELP_OPTION } from "./setting_options.ts";
import { UsageError } from "./usage_error.ts";
import type { JobReachOptions } from "./job_executor.ts";

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
