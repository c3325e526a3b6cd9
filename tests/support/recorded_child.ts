import type {
  Child,
  ChildCommand,
  ChildObserver,
  ChildStdio,
  WriteOutcome,
} from "../../src/process/child.ts";
import type { OutputStream } from "../../src/protocol/process.ts";
import { eventually } from "./patience.ts";

/** What an implementation of {@linkcode Child} is started by. */
export type StartChild = (command: ChildCommand, observer: ChildObserver) => Promise<Child>;

/** What a child told, in short: `stdout`, `stderr` or `pty` for output, however much it was. */
export type Told = OutputStream | "exited" | "ended";

/** The commands of these tests in short; pipes without input, `/` and a plain PATH by default. */
export interface Recipe {
  readonly argv: readonly string[];
  readonly arg0?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdio?: ChildStdio;
  /** Called after each of the child's events has been recorded. */
  readonly onTold?: (told: Told, run: RecordedChild) => void;
}

export const EMPTY: ChildStdio = { kind: "pipes", stdin: "empty" };
export const PIPED: ChildStdio = { kind: "pipes", stdin: "pipe" };
export const TERMINAL: ChildStdio = { kind: "pty", size: { rows: 24, cols: 80 } };
export const PLAIN_ENV = { PATH: "/usr/local/bin:/usr/bin:/bin" };

/** A command line that runs a script in bash; the arguments are `$0`, `$1` and so on in it. */
export function bash(script: string, ...parameters: string[]): string[] {
  return ["bash", "-c", script, ...parameters];
}

/** A started child that keeps all that it tells. */
export class RecordedChild {
  /** One entry an event; neighbouring output of one stream counts once. */
  readonly told: Told[] = [];
  readonly #chunks: Record<OutputStream, Uint8Array[]> = { stdout: [], stderr: [], pty: [] };
  exitCode: number | undefined;
  bytesTold = 0;
  #child: Child | undefined;

  static async start(start: StartChild, recipe: Recipe): Promise<RecordedChild> {
    const run = new RecordedChild();
    const tell = (told: Told) => {
      if (run.told.at(-1) !== told) run.told.push(told);
      recipe.onTold?.(told, run);
    };
    const { argv, arg0, cwd = "/", env = PLAIN_ENV, stdio = EMPTY } = recipe;
    run.#child = await start({ argv, arg0, cwd, env, stdio }, {
      output: (stream, bytes) => {
        run.#chunks[stream].push(bytes.slice());
        run.bytesTold += bytes.length;
        tell(stream);
      },
      exited: (exitCode) => {
        run.exitCode = exitCode;
        tell("exited");
      },
      ended: () => tell("ended"),
    });
    return run;
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error("something was told before the child was");
    return this.#child;
  }

  get handedOut(): boolean {
    return this.#child !== undefined;
  }

  get ended(): boolean {
    return this.told.includes("ended");
  }

  bytes(stream: OutputStream): Uint8Array<ArrayBuffer> {
    const chunks = this.#chunks[stream];
    const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }

  text(stream: OutputStream = "stdout"): string {
    return new TextDecoder().decode(this.bytes(stream));
  }

  write(text: string): Promise<WriteOutcome> {
    return this.child.write(new TextEncoder().encode(text));
  }

  /** Waits until what a stream has told matches, and returns the part that does. */
  async says(pattern: RegExp, stream: OutputStream = "stdout"): Promise<string> {
    await eventually(() => pattern.test(this.text(stream)), `${pattern} on ${stream}`);
    return this.text(stream).match(pattern)?.[0] ?? "";
  }

  /** Waits until so many bytes have been told. */
  hears(bytes: number): Promise<void> {
    return eventually(() => this.bytesTold >= bytes, `${bytes} bytes of output`);
  }

  exit(): Promise<void> {
    return eventually(() => this.exitCode !== undefined, "the exit");
  }

  end(): Promise<void> {
    return eventually(() => this.ended, "the end");
  }
}

/** Starts a command and waits for its end. */
export async function runToEnd(start: StartChild, recipe: Recipe): Promise<RecordedChild> {
  const run = await RecordedChild.start(start, recipe);
  await run.end();
  return run;
}

/** Runs a test with a new directory that is removed afterwards. */
export async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "remex-test-" });
  try {
    await test(await Deno.realPath(directory));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Whether a process is there and not just waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

/** Waits for a file that a command makes. */
export function untilExists(path: string): Promise<void> {
  return eventually(() => Deno.stat(path).then(() => true, () => false), path);
}

/** Makes a file that a command waits for. */
export async function touch(path: string): Promise<void> {
  await Deno.writeTextFile(path, "");
}
