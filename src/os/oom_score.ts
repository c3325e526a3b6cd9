import { AT_FDCWD } from "./constants.ts";
import { type Descriptor, writeDescriptor } from "./descriptor.ts";
import { Open, openAt } from "./open_at.ts";

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
  readonly #file: Descriptor | undefined;
  readonly #own: Uint8Array<ArrayBuffer>;
  readonly #raised: Uint8Array<ArrayBuffer>;

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
  #write(value: Uint8Array<ArrayBuffer>): boolean {
    return this.#file !== undefined && writeDescriptor(this.#file, value) > 0;
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

function openOwn(): Descriptor | undefined {
  try {
    return openAt(AT_FDCWD, FILE, Open.WriteOnly);
  } catch {
    return undefined;
  }
}

let shared: OomScore | undefined;

/** This program's. */
export function oomScore(): OomScore {
  return shared ??= new OomScore();
}
