import { log } from "../log/log.ts";
import type { OutputsOwner } from "./child.ts";
import { Watchdog } from "./watchdog.ts";
import { Orphans } from "./linux/orphans.ts";

/** Answers for the operating system's processes of all sessions, and for what they leave behind. */
export interface ProcessKeeper {
  /** A command was started, leader of its own session (setsid(2)). */
  started(command: OutputsOwner, owner: object): void;
  /** A command has ended, its descendants perhaps not. */
  exited(pid: number): void;
  /** Asks whatever commands left behind to end, as a system that shuts down does (SIGTERM). */
  requestEnd(): void;
  /** The same for what one owner's commands left behind. */
  requestEndOf(owner: object): void;
  /** How many processes that commands left behind are known to run. */
  readonly leftBehind: number;
  /** How many of them one owner's commands left behind. */
  leftBehindOf(owner: object): number;
  /**
   * What kills whatever descends from a command, once that has ended or was killed. To be asked for
   * while the command runs.
   */
  killerOf(pid: number): () => void;
  /**
   * Kills whatever an owner's commands left behind. No more of them are started. Returns how many
   * processes there were, their descendants not counted.
   */
  killAllOf(owner: object): number;
  /** Kills everything that commands have started. Nothing is started any more. */
  killAll(): Promise<void>;
}

/** Tells which processes this program and its commands have started. Linux only. */
export interface StartedProcesses {
  /** All of them that have not been reaped, but for the watchdog. */
  processes(): number[];
  /** Whether there are any. */
  any(): boolean;
  /** Whether a process is one of them. */
  originOf(pid: number): ProcessOrigin;
}

/** Where a process comes from; `gone` once it has ended. */
export type ProcessOrigin = "ours" | "foreign" | "gone";

/** Cleans up what this program leaves on the disk when it is killed. */
export interface DirectoryKeeper {
  /** A directory is to be removed then, if it is empty and nobody has a lock on it. */
  keepDirectory(path: string): void;
  /** A directory is not to be removed any more. */
  releaseDirectory(path: string): void;
}

/** Rounds of killing, in case of processes that start others faster than they are found. */
const MAX_ROUNDS = 50;
const ROUND_MS = 5;

/** Takes this program's children into care, by the means that its system has. */
export function keepProcesses(): ProcessKeeper & {
  readonly directories?: DirectoryKeeper;
  readonly startedHere?: StartedProcesses;
} {
  if (Deno.build.os === "windows") return new UnattendedProcesses();
  const watchdog = new Watchdog((reason) =>
    log("warn", "commands may outlive a killed executor: no watchdog", { reason })
  );
  watchdog.start();
  return Deno.build.os === "linux" ? new LinuxKeeper(watchdog) : new WatchedProcesses(watchdog);
}

/** Linux: nothing that a command leaves behind gets out of sight. */
class LinuxKeeper implements ProcessKeeper {
  readonly directories: DirectoryKeeper;
  readonly startedHere: StartedProcesses;
  readonly #watchdog: Watchdog;
  readonly #orphans: Orphans;

  constructor(watchdog: Watchdog) {
    this.directories = watchdog;
    this.#watchdog = watchdog;
    const orphans = this.#orphans = new Orphans(watchdog);
    this.startedHere = {
      processes: () => orphans.processes(watchdog.pid),
      any: () => orphans.any(watchdog.pid),
      originOf: (pid) => orphans.originOf(pid),
    };
  }

  started(command: OutputsOwner, owner: object): void {
    this.#orphans.started(command, owner);
  }

  exited(): void {
    this.#orphans.exited();
  }

  requestEnd(): void {
    this.#orphans.requestEnd();
  }

  requestEndOf(owner: object): void {
    this.#orphans.requestEndOf(owner);
  }

  get leftBehind(): number {
    return this.#orphans.count;
  }

  leftBehindOf(owner: object): number {
    return this.#orphans.countOf(owner);
  }

  killerOf(pid: number): () => void {
    return this.#orphans.killerOf(pid);
  }

  killAllOf(owner: object): number {
    return this.#orphans.killAllOf(owner);
  }

  async killAll(): Promise<void> {
    await this.#watchdog.started;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (this.#orphans.killAll(this.#watchdog.pid) === 0) break;
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
    this.#watchdog.retire();
  }
}

/** Other Unix systems: process groups, as far as they hold together. */
class WatchedProcesses implements ProcessKeeper {
  readonly #watchdog: Watchdog;

  constructor(watchdog: Watchdog) {
    this.#watchdog = watchdog;
  }

  started({ pid }: OutputsOwner): void {
    this.#watchdog.watchOver(pid);
  }

  exited(pid: number): void {
    this.#watchdog.release(pid);
  }

  requestEnd(): void {}

  requestEndOf(): void {}

  get leftBehind(): number {
    return 0;
  }

  leftBehindOf(): number {
    return 0;
  }

  killerOf(): () => void {
    return () => {};
  }

  killAllOf(): number {
    return 0;
  }

  killAll(): Promise<void> {
    this.#watchdog.retire();
    return Promise.resolve();
  }
}

/** Windows: a child that is killed takes nothing with it. */
class UnattendedProcesses implements ProcessKeeper {
  started(): void {}

  exited(): void {}

  requestEnd(): void {}

  requestEndOf(): void {}

  get leftBehind(): number {
    return 0;
  }

  leftBehindOf(): number {
    return 0;
  }

  killerOf(): () => void {
    return () => {};
  }

  killAllOf(): number {
    return 0;
  }

  killAll(): Promise<void> {
    return Promise.resolve();
  }
}
