import { parentOf, readProcLink } from "../../os/procfs.ts";
import { memoryLimit } from "../../os/memory.ts";
import { groupLimits, GroupPool } from "../restricted_threads/group_pool.ts";
import type { GroupPlan, RestrictedGroup } from "../restricted_threads/restricted_group.ts";
import { handoverFilter } from "../seccomp/filter.ts";
import type { Architecture } from "../seccomp/profile.ts";
import type { PolicyGrant } from "../supervisor/policy.ts";

/** What is handed over besides openings for reading. */
const NAMES = {
  names: true,
  metadata: false,
  connections: false,
  signals: false,
};
/** How many sets of threads there can be. Sessions have their own as long as there are enough. */
const MOST_SETS = 12;
/** How many commands of a session have their calls judged by one thread before there is another. */
const ENOUGH_COMMANDS = 8;
/** A session's own, if the machine has as many processors. */
const MOST_SETS_OF_SESSION = 8;
/** Threads that end are counted until they have. */
const ENDING_SHARE = 2;

/** What a command must not make or open. */
export interface KeptGrants {
  readonly grants: readonly PolicyGrant[];
  /** Whether that is about reading, too. */
  readonly reads: boolean;
}

/** What of this machine matters to the threads. */
export interface KeptHost {
  readonly architecture: Architecture;
  /** Whether the /proc of a command numbers processes as it sees them. */
  readonly ownProcesses: boolean;
}

/** Starts a command whose calls are judged by its policy. */
export interface NameKeeper {
  readonly group: RestrictedGroup;
  /**
   * Has the command's calls judged. Until then they fail.
   *
   * @param firstProcess the first of the command's sandbox
   * @param wrapper its parent
   * @throws {Error} if one of them has ended, or a thread has failed
   */
  admit(firstProcess: number, wrapper: number): Promise<void>;
  /** To be called when nothing is left of the command. Once is enough. */
  release(): void;
}

/** Threads that have one filter, and the commands that they have started by their sessions. */
interface KeeperSet {
  readonly kind: string;
  readonly key: string;
  readonly commands: Map<object, number>;
}

/**
 * Threads that start commands of any policy and decide about their calls that make, replace or remove
 * a name. Each command has its mounts to itself, by which its calls are told from those of others.
 *
 * Calls are decided about one after the other, and one may take its time, as when a file is truncated
 * that many others write to. So sessions share threads only when there are more than so many.
 */
export class NameKeepers implements Disposable {
  readonly #groups = new GroupPool({
    maxGroups: MOST_SETS * ENDING_SHARE,
    enforcesLandlock: false,
    keepsSpare: false,
  });
  readonly #sets: KeeperSet[] = [];
  readonly #mostSets: number;

  /** @param memoryBytes what this program can have: with little there are fewer sets of threads */
  constructor(memoryBytes: number = memoryLimit()) {
    this.#mostSets = Math.min(MOST_SETS, groupLimits(memoryBytes).keptGroups);
  }

  /** Has threads made for the first command that needs any. */
  prepareFirst(): void {
    this.#groups.prepareFirst();
  }

  /**
   * @param session whose command it is
   * @throws {RpcError} -32603 if the threads cannot be made
   */
  async lease(
    session: object,
    { grants, reads }: KeptGrants,
    { architecture, ownProcesses }: KeptHost,
  ): Promise<NameKeeper> {
    const plan = (): GroupPlan => ({
      restrictions: {
        landlock: undefined,
        filter: handoverFilter({ ...NAMES, reads }, architecture),
        supervised: true,
      },
      supervised: { kind: "apart", ownProcesses },
      architecture,
    });
    const { key, commands } = this.#setFor(session, JSON.stringify({ reads, ownProcesses }));
    count(commands, session, 1);
    let admission: Disposable | undefined;
    try {
      const { group, release } = await this.#groups.lease(this, key, plan);
      let held = true;
      return {
        group,
        admit: async (firstProcess, wrapper) => {
          const mounts = mountsOf(firstProcess, wrapper);
          admission = await group.admit({ mounts, grants });
          // It may have been given up meanwhile.
          if (!held) admission[Symbol.dispose]();
        },
        release: () => {
          if (!held) return;
          held = false;
          admission?.[Symbol.dispose]();
          release();
          count(commands, session, -1);
        },
      };
    } catch (error) {
      count(commands, session, -1);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#groups[Symbol.dispose]();
  }

  /** The session's own if there is one that is not busy, or else one that nobody has. */
  #setFor(session: object, kind: string): KeeperSet {
    const alike = this.#sets.filter((set) => set.kind === kind);
    const own = alike.filter(({ commands }) => commands.has(session));
    const free = own.find((set) => size(set) < ENOUGH_COMMANDS);
    if (free !== undefined) return free;
    const mayHaveMore = own.length <
      Math.max(1, Math.min(MOST_SETS_OF_SESSION, navigator.hardwareConcurrency));
    if (mayHaveMore) {
      const unused = alike.find(({ commands }) => commands.size === 0) ?? this.#makeSet(kind);
      if (unused !== undefined) return unused;
    }
    const among = own.length > 0 ? own : alike;
    return among.reduce((least, set) => size(set) < size(least) ? set : least);
  }

  /** Undefined if there are as many as there may be, and one that will do. */
  #makeSet(kind: string): KeeperSet | undefined {
    if (this.#sets.length >= this.#mostSets) {
      const unused = this.#sets.findIndex(({ commands }) => commands.size === 0);
      if (unused !== -1) this.#sets.splice(unused, 1);
      else if (this.#sets.some((set) => set.kind === kind)) return undefined;
    }
    const set = { kind, key: `${kind} ${crypto.randomUUID()}`, commands: new Map() };
    this.#sets.push(set);
    return set;
  }
}

function size({ commands }: KeeperSet): number {
  return [...commands.values()].reduce((sum, number) => sum + number, 0);
}

function count(commands: Map<object, number>, session: object, more: number): void {
  const number = (commands.get(session) ?? 0) + more;
  if (number === 0) commands.delete(session);
  else commands.set(session, number);
}

/**
 * What the mount namespace of a sandbox is called.
 *
 * @throws {Error} if there is none, or its first process has ended: its number may be another's by now
 */
function mountsOf(firstProcess: number, wrapper: number): string {
  const mounts = readProcLink(`${firstProcess}/ns/mnt`);
  if (parentOf(firstProcess) !== wrapper) throw new Error("its first process has ended");
  if (mounts === undefined || mounts === readProcLink("self/ns/mnt")) {
    throw new Error("it has no mounts of its own");
  }
  return mounts;
}
