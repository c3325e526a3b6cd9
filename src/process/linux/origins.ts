import { childrenOfOtherThreads, readProcLink } from "../../os/procfs.ts";
import { ownChildren } from "../../os/signals.ts";
import type { OutputsOwner } from "../child.ts";

/** A command, for as long as something that it started runs. */
export interface Command {
  readonly pid: number;
  readonly owner: object;
  readonly outputs: OutputsOwner;
  /** Those that are its own for as long as it runs. */
  readonly sessions: readonly number[];
}

/**
 * What shows at one moment where orphans come from. Thousands may have turned up since the last, so each
 * part is found out once, when it is first asked for.
 */
export class Moment {
  readonly #findCommands: () => readonly Command[];
  readonly #isStranger: (pid: number) => boolean;
  #commands: readonly Command[] | undefined;
  #byOutput: ReadonlyMap<string, ReadonlySet<Command>> | undefined;
  #onTheirWay: ReadonlySet<number> | undefined;

  /** @param isStranger whether no command has started a child of this program */
  constructor(findCommands: () => readonly Command[], isStranger: (pid: number) => boolean) {
    this.#findCommands = findCommands;
    this.#isStranger = isStranger;
  }

  /** All commands of which something is here. */
  get commands(): readonly Command[] {
    return this.#commands ??= this.#findCommands();
  }

  /** The commands that were given an output which a process has: it descends from one of them. */
  writersLike(pid: number): Set<Command> {
    const byOutput = this.#byOutput ??= commandsByOutput(this.commands);
    const outputs = [1, 2].map((descriptor) => readProcLink(`${pid}/fd/${descriptor}`));
    return new Set(outputs.flatMap((name) => [...byOutput.get(name ?? "") ?? []]));
  }

  /** Children of other threads that nobody has taken over: commands of which nobody has heard yet. */
  get onTheirWay(): ReadonlySet<number> {
    return this.#onTheirWay ??= this.#findOnTheirWay();
  }

  #findOnTheirWay(): ReadonlySet<number> {
    return new Set(
      childrenOfOtherThreads(Deno.pid).filter((pid) =>
        !ownChildren.has(pid) && !this.#isStranger(pid)
      ),
    );
  }
}

/** Only pipes and terminals: others are shared with processes that no command has started. */
function commandsByOutput(commands: readonly Command[]): Map<string, Set<Command>> {
  const found = new Map<string, Set<Command>>();
  for (const command of commands) {
    for (const name of command.outputs.outputNames?.() ?? []) {
      if (!name.startsWith("pipe:[") && !name.startsWith("/dev/pts/")) continue;
      const others = found.get(name);
      if (others === undefined) found.set(name, new Set([command]));
      else others.add(command);
    }
  }
  return found;
}
