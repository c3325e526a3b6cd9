import "../../support/default_signals.ts";
import { fileURLToPath } from "node:url";
import { settled } from "../../support/patience.ts";

/** The compiled program under test. */
export const REMEX_BIN: string = Deno.env.get("REMEX_BIN") ??
  fileURLToPath(new URL("../../../dist/remex", import.meta.url));

/** How the program under test is run. */
export interface LaunchOptions {
  /** Its whole environment. @default the test's own PATH and HOME */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A program, with arguments, that becomes the program under test. @default none */
  readonly launcher?: readonly string[];
  /** @default inherit */
  readonly stderr?: "piped" | "inherit" | "null";
}

/** Starts the program. What goes wrong in it shows in the test's own output. */
export function remex(args: readonly string[], options: LaunchOptions = {}): Deno.ChildProcess {
  const [program = REMEX_BIN, ...rest] = [...options.launcher ?? [], REMEX_BIN, ...args];
  return new Deno.Command(program, {
    args: rest,
    clearEnv: true,
    env: { REMEX_LOG: "error", ...options.env ?? ownPathAndHome() },
    ...options.cwd === undefined ? {} : { cwd: options.cwd },
    stdin: "piped",
    stdout: "piped",
    stderr: options.stderr ?? "inherit",
  }).spawn();
}

/** What is left of a program that has ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program until it ends by itself, with this as its standard input. */
export async function runToEnd(
  args: readonly string[],
  input = "",
  options: LaunchOptions = {},
): Promise<Ended> {
  const child = remex(args, { ...options, stderr: "piped" });
  const stdout = new Response(child.stdout).text();
  const stderr = new Response(child.stderr).text();
  const writer = child.stdin.getWriter();
  // It may end without reading.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { code } = await ended(child);
  return { code, stdout: await stdout, stderr: await stderr };
}

/** An executor that listens on a port of the loopback address. Disposing of it ends it. */
export class ListeningExecutor implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(url: string, child: Deno.ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** @param args more of its command line */
  static async start(
    options: LaunchOptions = {},
    args: readonly string[] = [],
  ): Promise<ListeningExecutor> {
    const child = remex(["serve", "--grace", "0", "--exit-on-stdin-close", ...args], options);
    const url = await settled(firstLine(child.stdout), "the URL");
    return new ListeningExecutor(url, child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal and waits for the end that it brings about. */
  async endBy(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    this.#child.kill(signal);
    return await ended(this.#child);
  }

  /** Ends its standard input. */
  async endInput(): Promise<void> {
    await this.#child.stdin.close();
  }

  /** Waits for the end that something else has brought about. */
  end(): Promise<Deno.CommandStatus> {
    return ended(this.#child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It may have ended already.
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#child.stdin.abort().catch(() => {});
    await ended(this.#child);
  }
}

/** Waits for a child to end, and kills it if it does not. */
export async function ended(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  try {
    return await settled(child.status, "the executor's end");
  } catch (error) {
    child.kill("SIGKILL");
    await child.status;
    throw error;
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error("the executor ended without a line");
}

function ownPathAndHome(): Record<string, string> {
  return { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", HOME: Deno.env.get("HOME") ?? "/" };
}
