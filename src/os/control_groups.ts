import {
  enable,
  type GroupController,
  groupError,
  hierarchiesOf,
  type Hierarchy,
  isThere,
  moveHere,
  readText,
} from "./control_hierarchies.ts";
import { Signal, signalProcess } from "./signals.ts";

/** The most that the processes of a group may have together; undefined for no limit. */
export interface GroupLimits {
  /** In bytes, swap included. */
  readonly memory?: number | undefined;
  /** Processes and threads. */
  readonly pids?: number | undefined;
}

/** Told of the directories that control groups are. */
export interface GroupObserver {
  made(directory: string): void;
  removed(directory: string): void;
}

/** Rounds of killing, in case of processes that start others faster than they are found. */
const MAX_ROUNDS = 50;

/**
 * Control groups for what this program starts, one inside of the other: all, and each.
 *
 * Where the first version has a controller its hierarchy is used, and otherwise the second, in which
 * this program's group has to be delegated to it. Linux only.
 */
export class ControlGroups implements Disposable {
  readonly #all: ControlGroup;
  readonly #observer: GroupObserver;
  readonly #lingering = new Set<ControlGroup>();
  #made = 0;

  /**
   * @param controllers what the groups are to limit
   * @param limits of everything together
   * @param observer told of every directory that is made or removed
   * @throws {ControlGroupError} when some of it cannot be limited
   */
  constructor(
    controllers: readonly GroupController[],
    limits: GroupLimits,
    observer: GroupObserver,
  ) {
    this.#observer = observer;
    const hierarchies = hierarchiesOf(controllers);
    const name = `remex-${crypto.randomUUID()}`;
    this.#all = ControlGroup.make(hierarchies, ({ place }) => `${place}/${name}`, {});
    try {
      this.#all.setLimits(limits);
      this.#all.passOn();
    } catch (error) {
      this.#all.remove();
      throw groupError(`limits cannot be set in ${this.#all.name}`, error);
    }
    this.#all.directories.forEach((directory) => observer.made(directory));
  }

  /** Makes a group. @throws {ControlGroupError} when the system refuses */
  make(limits: GroupLimits): ControlGroup {
    this.#removeLingering();
    const group = this.#all.makeBelow(`${++this.#made}`, limits);
    group.directories.forEach((directory) => this.#observer.made(directory));
    return group;
  }

  /** A group is to be removed, at once or when the last process has left it. */
  release(group: ControlGroup): void {
    if (!this.#remove(group)) this.#lingering.add(group);
  }

  /** Removes what is empty by now. */
  [Symbol.dispose](): void {
    this.#removeLingering();
    this.#remove(this.#all);
  }

  #removeLingering(): void {
    for (const group of this.#lingering) {
      if (this.#remove(group)) this.#lingering.delete(group);
    }
  }

  #remove(group: ControlGroup): boolean {
    if (!group.remove()) return false;
    group.directories.forEach((directory) => this.#observer.removed(directory));
    return true;
  }
}

/** A group in which programs are started. */
export class ControlGroup {
  /** Where it is, in each hierarchy. */
  readonly directories: readonly string[];
  readonly #directories: readonly (readonly [Hierarchy, string])[];
  readonly #limits: GroupLimits;
  /** Undefined until the group is killed. */
  #exceededBefore: ReadonlySet<GroupController> | undefined;

  private constructor(
    directories: readonly (readonly [Hierarchy, string])[],
    limits: GroupLimits,
  ) {
    this.#directories = directories;
    this.directories = directories.map(([, directory]) => directory);
    this.#limits = limits;
  }

  /** Makes a group in each hierarchy, or none. @throws {ControlGroupError} when the system refuses */
  static make(
    hierarchies: readonly Hierarchy[],
    directoryIn: (hierarchy: Hierarchy) => string,
    limits: GroupLimits,
  ): ControlGroup {
    const made: [Hierarchy, string][] = [];
    for (const hierarchy of hierarchies) {
      const directory = directoryIn(hierarchy);
      try {
        Deno.mkdirSync(directory);
      } catch (error) {
        new ControlGroup(made, limits).remove();
        throw groupError(`${inWords(hierarchy)} cannot be limited: no group ${directory}`, error);
      }
      made.push([hierarchy, directory]);
    }
    return new ControlGroup(made, limits);
  }

  /** What to call it in messages. */
  get name(): string {
    return this.directories.join(" and ");
  }

  /** Makes a group inside of this one. @throws {ControlGroupError} when the system refuses */
  makeBelow(name: string, limits: GroupLimits): ControlGroup {
    const directories = new Map(this.#directories);
    return ControlGroup.make(
      [...directories.keys()],
      (hierarchy) => `${directories.get(hierarchy)}/${name}`,
      limits,
    );
  }

  /** Lets groups inside of this one have limits of their own. */
  passOn(): void {
    for (const [{ version, controllers }, directory] of this.#directories) {
      if (version === 2) enable(directory, controllers);
    }
  }

  /**
   * Does something that starts programs: they are born in the group, so that nothing which they start
   * is outside of it. Its limits hold as soon as this program, which has to be in it for the moment,
   * has left again.
   *
   * @throws {ControlGroupError} when the group cannot be entered; nothing is started then
   */
  during<T>(start: () => T): T {
    let entered = 0;
    try {
      for (const [{ version }, directory] of this.#directories) {
        moveHere(version, directory);
        entered++;
      }
      return start();
    } catch (error) {
      throw entered < this.#directories.length
        ? groupError(`the group ${this.name} cannot be entered`, error)
        : error;
    } finally {
      for (const [{ version, home }] of this.#directories.slice(0, entered)) {
        moveHere(version, home);
      }
      this.#enforce();
    }
  }

  /**
   * Takes programs in that have been started elsewhere. What they start from then on is in the group.
   *
   * @param pids of programs with a single thread each
   * @throws {ControlGroupError} when they cannot be moved
   */
  admit(pids: readonly number[]): void {
    try {
      for (const [, directory] of this.#directories) {
        for (const pid of pids) Deno.writeTextFileSync(`${directory}/cgroup.procs`, String(pid));
      }
    } catch (error) {
      throw groupError(`the group ${this.name} cannot be entered`, error);
    }
    this.#enforce();
  }

  /**
   * Which limits have been run into before the group was killed: a process was killed for it, or one
   * could not be started.
   */
  exceeded(): ReadonlySet<GroupController> {
    return this.#exceededBefore ?? this.#exceeded();
  }

  #exceeded(): Set<GroupController> {
    const found = new Set<GroupController>();
    for (const [{ version, controllers }, directory] of this.#directories) {
      for (const controller of controllers) {
        const [file, counter] = controller === "pids"
          ? ["pids.events", "max"]
          : version === 2
          ? ["memory.events", "oom_kill"]
          : ["memory.oom_control", "oom_kill"];
        const count = new RegExp(`^${counter} (\\d+)$`, "m").exec(readText(`${directory}/${file}`))
          ?.[1];
        if (Number(count ?? 0) > 0) found.add(controller);
      }
    }
    return found;
  }

  /** Kills all that is in the group, in which nothing can be started from then on. */
  kill(): void {
    this.#exceededBefore ??= this.#exceeded();
    for (const [{ version, controllers }, directory] of this.#directories) {
      // What starts others faster than they are found is stopped from that before.
      if (controllers.includes("pids")) writeIfThere(`${directory}/pids.max`, "0");
      if (version === 2) writeIfThere(`${directory}/cgroup.kill`, "1");
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const members = readText(`${directory}/cgroup.procs`).split("\n").map(Number)
          .filter((pid) => pid > 0 && pid !== Deno.pid);
        if (members.length === 0) break;
        for (const pid of members) signalProcess(pid, Signal.Kill);
      }
    }
  }

  /** Removes the group. Returns whether it is gone: one with processes in it stays. */
  remove(): boolean {
    let gone = true;
    for (const [, directory] of this.#directories) {
      try {
        Deno.removeSync(directory);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) gone = false;
      }
    }
    return gone;
  }

  /** @throws {Error} when the kernel refuses */
  setLimits({ memory, pids }: GroupLimits): void {
    for (const [{ version, controllers }, directory] of this.#directories) {
      if (pids !== undefined && controllers.includes("pids")) {
        Deno.writeTextFileSync(`${directory}/pids.max`, String(pids));
      }
      if (memory === undefined || !controllers.includes("memory")) continue;
      if (version === 2) {
        Deno.writeTextFileSync(`${directory}/memory.max`, String(memory));
        writeIfThere(`${directory}/memory.swap.max`, "0");
      } else {
        Deno.writeTextFileSync(`${directory}/memory.limit_in_bytes`, String(memory));
        writeIfThere(`${directory}/memory.memsw.limit_in_bytes`, String(memory));
      }
    }
  }

  /**
   * What has more already than it may have does not go on. Of memory the kernel says so by a refusal;
   * processes may have been started before their number was limited.
   */
  #enforce(): void {
    try {
      this.setLimits(this.#limits);
      if (!this.#hasTooManyProcesses()) return;
      this.#exceededBefore = this.#exceeded().add("pids");
    } catch {
      // The refusal.
    }
    this.kill();
  }

  #hasTooManyProcesses(): boolean {
    const { pids } = this.#limits;
    return pids !== undefined &&
      this.#directories.some(([{ controllers }, directory]) =>
        controllers.includes("pids") && Number(readText(`${directory}/pids.current`)) > pids
      );
  }
}

/** Kernels without accounts of swap do not have the file. */
function writeIfThere(path: string, text: string): void {
  if (isThere(path)) Deno.writeTextFileSync(path, text);
}

function inWords({ controllers }: Hierarchy): string {
  return controllers.join(" and ");
}
