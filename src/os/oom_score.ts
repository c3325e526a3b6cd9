import { AT_FDCWD } from "./constants.ts";
import { type Descriptor, writeDescriptor } from "./descriptor.ts";
import { Open, openAt } from "./open_at.ts";
import { shareChange, SharedChange } from "./shared_change.ts";

const FILE = "/proc/self/oom_score_adj";
/** As if half of the memory were theirs besides what is (proc(5)). */
const EXPENDABLE = 500;
/** By how much commands are to be preferred where the executor has a high value itself. */
const STEP = 100;
const HIGHEST = 1000;

/** What the threads of this program have to know that start others. */
export interface OomScores {
  /** Open for writing; undefined if nothing can be raised. */
  readonly file: Descriptor | undefined;
  readonly own: Uint8Array<ArrayBuffer>;
  readonly raised: Uint8Array<ArrayBuffer>;
  readonly change: SharedArrayBuffer;
}

/**
 * Starts programs so that the kernel ends them rather than this one when memory runs out.
 *
 * They are born with a higher `oom_score_adj` than this program has (proc_pid_oom_score_adj(5)): it
 * is raised for the moment in which a program is started, which inherits it. Any process may raise its
 * own and lower it again to what it was.
 */
export class OomScore {
  readonly scores: OomScores;
  readonly #raising: SharedChange;

  /** @param scores what another thread's has. @default looked up, while no thread starts a program */
  constructor(scores: OomScores = findScores()) {
    this.scores = scores;
    this.#raising = new SharedChange(scores.change, {
      make: () => this.#write(scores.raised),
      undo: () => this.#write(scores.own),
    });
  }

  /** Does something during which programs are started. */
  raisedFor<T>(start: () => T): T {
    return this.scores.file === undefined ? start() : this.#raising.during(start);
  }

  #write(value: Uint8Array<ArrayBuffer>): void {
    if (this.scores.file !== undefined) writeDescriptor(this.scores.file, value);
  }
}

function findScores(): OomScores {
  const own = readOwn();
  const raised = Math.min(HIGHEST, Math.max(own + STEP, EXPENDABLE));
  const encode = (score: number) => new TextEncoder().encode(String(score));
  return {
    file: raised > own ? openOwn() : undefined,
    own: encode(own),
    raised: encode(raised),
    change: shareChange(),
  };
}

/** Where there is no /proc, nothing can be raised either. */
function readOwn(): number {
  try {
    return Number(Deno.readTextFileSync(FILE));
  } catch {
    return HIGHEST;
  }
}

function openOwn(): Descriptor | undefined {
  try {
    return openAt(AT_FDCWD, FILE, Open.WriteOnly);
  } catch {
    return undefined;
  }
}

let shared: OomScore | undefined;

/** This program's, for its first thread. */
export function oomScore(): OomScore {
  return shared ??= new OomScore();
}
