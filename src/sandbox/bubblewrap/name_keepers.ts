import { parentOf, readProcLink } from "../../os/procfs.ts";
import { GroupPool } from "../restricted_threads/group_pool.ts";
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
/** How many commands have their calls judged by one thread before there is another. */
const ENOUGH_COMMANDS = 8;
const MOST_KEEPERS = 8;
/** With openings for reading, and without. */
const KINDS = 2;
/** Threads that end are counted until they have. */
const ENDING_SHARE = 2;
/** Any command may need them, whatever its policy. */
const IDLE_MS = 600_000;

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

/**
 * Threads that start commands of any policy and decide about their calls that make, replace or remove
 * a name. Each command has its mounts to itself, by which its calls are told from those of others.
 */
export class NameKeepers implements Disposable {
  readonly #most = Math.min(MOST_KEEPERS, navigator.hardwareConcurrency);
  readonly #groups = new GroupPool({
    maxGroups: this.#most * KINDS * ENDING_SHARE,
    idleMs: IDLE_MS,
    enforcesLandlock: false,
    keepsSpare: false,
  });
  /** How many commands each has. */
  readonly #commands = new Map<string, number>();

  /** Has threads made for the first command that needs any. */
  prepareFirst(): void {
    this.#groups.prepareFirst();
  }

  /** @throws {RpcError} -32603 if the threads cannot be made */
  async lease(
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
    const key = this.#leastBusy(JSON.stringify({ reads, ownProcesses }));
    this.#count(key, 1);
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
          this.#count(key, -1);
        },
      };
    } catch (error) {
      this.#count(key, -1);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#groups[Symbol.dispose]();
  }

  #leastBusy(kind: string): string {
    const keys = Array.from({ length: this.#most }, (_, index) => `${index} ${kind}`);
    const commands = (key: string) => this.#commands.get(key) ?? 0;
    return keys.find((key) => commands(key) < ENOUGH_COMMANDS) ??
      keys.reduce((least, key) => commands(key) < commands(least) ? key : least);
  }

  #count(key: string, more: number): void {
    this.#commands.set(key, (this.#commands.get(key) ?? 0) + more);
  }
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
