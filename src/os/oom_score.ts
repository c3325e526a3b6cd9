const FILE = "/proc/self/oom_score_adj";
/** As if half of the memory were theirs besides what is (proc(5)). */
const EXPENDABLE = 500;
/** By how much commands are to be preferred where the executor has a high value itself. */
const STEP = 100;
const HIGHEST = 1000;

/**
 * Starts programs so that the kernel ends them rather than this one when memory runs out.
 *
 * They are born with a higher `oom_score_adj` than this program has (proc_pid_oom_score_adj(5)): it
 * is raised for the moment in which a program is started, which inherits it. Any process may raise its
 * own and lower it again to what it was.
 */
export class OomScore {
  readonly #file: Deno.FsFile | undefined;
  readonly #own: Uint8Array;
  readonly #raised: Uint8Array;

  constructor() {
    const own = readOwn();
    const raised = Math.min(HIGHEST, Math.max(own + STEP, EXPENDABLE));
    this.#own = new TextEncoder().encode(String(own));
    this.#raised = new TextEncoder().encode(String(raised));
    this.#file = raised > own ? openOwn() : undefined;
  }

  /** Does something during which programs are started. */
  raisedFor<T>(start: () => T): T {
    if (!this.#write(this.#raised)) return start();
    try {
      return start();
    } finally {
      this.#write(this.#own);
    }
  }

  /** Returns whether the kernel took it. */
  #write(value: Uint8Array): boolean {
    try {
      return this.#file !== undefined && this.#file.writeSync(value) > 0;
    } catch {
      return false;
    }
  }
}

/** Where there is no /proc, nothing can be raised either. */
function readOwn(): number {
  try {
    return Number(Deno.readTextFileSync(FILE));
  } catch {
    return HIGHEST;
  }
}

function openOwn(): Deno.FsFile | undefined {
  try {
    return Deno.openSync(FILE, { write: true });
  } catch {
    return undefined;
  }
}

let shared: OomScore | undefined;

/** This program's. */
export function oomScore(): OomScore {
  return shared ??= new OomScore();
}
