import { assertEquals } from "@std/assert";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { type Ended, ListeningExecutor, runToEnd } from "./executor.ts";

/** A user with a home of their own, and an executor. Disposing of it ends the executor. */
export class JobScene implements AsyncDisposable {
  readonly directory: TemporaryDirectory;
  readonly executor: ListeningExecutor;

  private constructor(directory: TemporaryDirectory, executor: ListeningExecutor) {
    this.directory = directory;
    this.executor = executor;
  }

  /** @param args more of the executor's command line */
  static async start(args: readonly string[] = []): Promise<JobScene> {
    const directory = new TemporaryDirectory();
    const env = environmentIn(directory);
    return new JobScene(directory, await ListeningExecutor.start({ env }, args));
  }

  /** The environment of the user, and of the executor. */
  get env(): Record<string, string> {
    return environmentIn(this.directory);
  }

  /** Where jobs are remembered. */
  get handles(): string {
    return `${this.directory.path}/state/remex/jobs`;
  }

  /** Runs the program to its end as that user. */
  run(...args: string[]): Promise<Ended> {
    return runToEnd(args, "", { env: this.env });
  }

  /** Leaves a shell script to itself in the scene's directory, under this name. */
  async detach(name: string, script: string, ...options: string[]): Promise<void> {
    const run = await this.run(...this.detached(name, ...options), "--", "sh", "-c", script);
    assertEquals(run, { code: 0, stdout: `${name}\n`, stderr: "" });
  }

  /** The command line of a job, up to its command. */
  detached(name: string, ...options: string[]): string[] {
    const where = ["--url", this.executor.url, "--cwd", this.directory.path];
    return ["exec", "--detach", "--name", name, ...where, ...options];
  }

  /** The columns of the list of jobs, without the age and the command. */
  async listed(): Promise<string[]> {
    const { stdout } = await this.run("jobs", "--json");
    const jobs: unknown = JSON.parse(stdout);
    if (!Array.isArray(jobs)) throw new Error(stdout);
    return jobs.map(({ name, state, exitCode = "" }) => `${name} ${state} ${exitCode}`.trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}

function environmentIn({ path }: TemporaryDirectory): Record<string, string> {
  return {
    PATH: "/usr/bin:/bin",
    HOME: path,
    XDG_STATE_HOME: `${path}/state`,
    XDG_CACHE_HOME: `${path}/cache`,
  };
}
