import type { LaunchOptions } from "../e2e/support/executor.ts";

const FIRST_VERSION = "/sys/fs/cgroup/memory";
const SECOND_VERSION = "/sys/fs/cgroup";

/**
 * A control group with little memory, which a program can be started in: what takes more is killed by
 * the kernel (cgroups(7)). Disposing of it removes it.
 */
export class MemoryGroup implements Disposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes a group, or gives undefined where this user cannot have one. */
  static make(bytes: number): MemoryGroup | undefined {
    const name = `remex-test-${Deno.pid}-${crypto.randomUUID()}`;
    const kinds: [root: string, limit: string][] = [
      [FIRST_VERSION, "memory.limit_in_bytes"],
      [SECOND_VERSION, "memory.max"],
    ];
    for (const [root, limit] of kinds) {
      const directory = `${root}/${name}`;
      try {
        Deno.mkdirSync(directory);
      } catch {
        continue;
      }
      try {
        Deno.writeTextFileSync(`${directory}/${limit}`, String(bytes));
        return new MemoryGroup(directory);
      } catch {
        Deno.removeSync(directory);
      }
    }
    return undefined;
  }

  /** Puts a program and all that it starts into the group. */
  get launch(): LaunchOptions {
    const enter = `echo $$ > ${this.#directory}/cgroup.procs && exec "$@"`;
    return { launcher: ["/bin/sh", "-c", enter, "sh"] };
  }

  /** How much of it is used. */
  get usedBytes(): number {
    for (const name of ["memory.usage_in_bytes", "memory.current"]) {
      try {
        return Number(Deno.readTextFileSync(`${this.#directory}/${name}`));
      } catch {
        continue;
      }
    }
    throw new Error("the group does not say how much is used");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#directory);
  }
}

/** Whether this user can have a {@linkcode MemoryGroup}. */
export const canLimitMemory: boolean = (() => {
  using group = MemoryGroup.make(64 * 1024 * 1024);
  return group !== undefined;
})();
