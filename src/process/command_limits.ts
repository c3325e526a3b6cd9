import { type ControlGroup, ControlGroups, type GroupLimits } from "../os/control_groups.ts";
import { type GroupController } from "../os/control_hierarchies.ts";
import type { ExceededLimit } from "../protocol/process.ts";
import { StartError } from "./child.ts";
import { Deadline } from "./deadline.ts";
import type { ChildStarter } from "./process.ts";
import type { DirectoryKeeper, ProcessKeeper } from "./process_keeper.ts";

/** The most that a command may take, and all together; undefined for no limit. */
export interface CommandLimits {
  /** Memory of a command and its descendants, in bytes. */
  readonly memory?: number | undefined;
  /** Processes and threads of a command and its descendants. */
  readonly processes?: number | undefined;
  /** How long a command may run, in seconds. */
  readonly time?: number | undefined;
  /** Memory of all commands, in bytes. */
  readonly totalMemory?: number | undefined;
  /** Processes and threads of all commands. */
  readonly totalProcesses?: number | undefined;
}

/** What whoever limits commands has to know. */
export interface LimiterOptions {
  readonly keeper: Pick<ProcessKeeper, "killerOf">;
  /** How long commands have to end once their time is up, in milliseconds. */
  readonly graceMs: number;
}

/** What only control groups can limit. */
const CONTROLLERS = { memory: "memory", processes: "pids" } as const satisfies Partial<
  Record<ExceededLimit, GroupController>
>;

/** Starts commands so that they are kept within limits. */
export class CommandLimiter implements Disposable {
  readonly #limits: CommandLimits;
  readonly #groups: ControlGroups | undefined;
  readonly #directories = new Set<string>();
  #keeper: DirectoryKeeper | undefined;

  /**
   * To be made before anything is started.
   *
   * @throws {ControlGroupError} when some limit cannot be enforced on this machine
   */
  constructor(limits: CommandLimits) {
    this.#limits = limits;
    const needed: GroupController[] = [];
    if (limits.memory !== undefined || limits.totalMemory !== undefined) needed.push("memory");
    if (limits.processes !== undefined || limits.totalProcesses !== undefined) needed.push("pids");
    if (needed.length === 0) return;
    const total = { memory: limits.totalMemory, pids: limits.totalProcesses };
    this.#groups = new ControlGroups(needed, total, {
      made: (directory) => {
        this.#directories.add(directory);
        this.#keeper?.keepDirectory(directory);
      },
      removed: (directory) => {
        this.#directories.delete(directory);
        this.#keeper?.releaseDirectory(directory);
      },
    });
  }

  /** Sees to it that no control group stays when this program is killed. */
  keepGroups(keeper: DirectoryKeeper | undefined): void {
    this.#keeper = keeper;
    this.#directories.forEach((directory) => keeper?.keepDirectory(directory));
  }

  /** Starts by the same means, within the limits. */
  limited(start: ChildStarter, options: LimiterOptions): ChildStarter {
    return async (command, observer) => {
      const group = this.#makeGroup();
      let deadline: Deadline | undefined;
      const release = () => group && this.#groups?.release(group);
      try {
        const child = await start({ ...command, group }, {
          output: (stream, bytes) => observer.output(stream, bytes),
          exited: (exitCode) => {
            deadline?.exited();
            const limit = deadline?.reached ? "time" : exceededLimit(exitCode, group);
            observer.exited(exitCode, limit);
          },
          ended: () => {
            release();
            observer.ended();
          },
        });
        deadline = this.#deadline(options, group);
        deadline?.started(child);
        return child;
      } catch (error) {
        release();
        throw error;
      }
    };
  }

  /** Removes the control groups, in which nothing may run any more. */
  [Symbol.dispose](): void {
    this.#groups?.[Symbol.dispose]();
  }

  /** Begins to run when a command has started. */
  #deadline({ keeper, graceMs }: LimiterOptions, group?: ControlGroup): Deadline | undefined {
    const { time } = this.#limits;
    if (time === undefined) return undefined;
    return new Deadline({ timeMs: time * 1000, graceMs }, (pid) => {
      const killLeft = keeper.killerOf(pid);
      return () => {
        killLeft();
        group?.kill();
      };
    });
  }

  #makeGroup(): ControlGroup | undefined {
    const { memory, processes } = this.#limits;
    const limits: GroupLimits = { memory, pids: processes };
    try {
      return this.#groups?.make(limits);
    } catch (error) {
      throw new StartError(error instanceof Error ? error.message : String(error), {
        cause: error,
      });
    }
  }
}

/** A command that copes with what it was refused was not ended by it. */
function exceededLimit(
  exitCode: number,
  group: ControlGroup | undefined,
): ExceededLimit | undefined {
  if (exitCode === 0 || group === undefined) return undefined;
  const exceeded = group.exceeded();
  return (["memory", "processes"] as const).find((limit) => exceeded.has(CONTROLLERS[limit]));
}
