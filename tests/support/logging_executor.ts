import { ended, remex } from "../e2e/support/executor.ts";
import { settled } from "./patience.ts";

/** A line of a log in JSON. */
export type LogLine = Readonly<Record<string, unknown>>;

/** An executor that listens on loopback and logs everything in JSON. Disposing of it ends it. */
export class LoggingExecutor implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #logEnded: Promise<void>;
  #text = "";
  #ended: Promise<Deno.CommandStatus> | undefined;

  private constructor(url: string, child: Deno.ChildProcess) {
    this.url = url;
    this.#child = child;
    this.#logEnded = this.#collect();
  }

  /** @param env besides PATH, HOME and what makes it log everything */
  static async start(
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
  ): Promise<LoggingExecutor> {
    const own = ["PATH", "HOME"].map((name) => [name, Deno.env.get(name) ?? "/"]);
    const child = remex(["serve", "--grace", "0", ...args], {
      env: { ...Object.fromEntries(own), REMEX_LOG: "debug", REMEX_LOG_FORMAT: "json", ...env },
      stderr: "piped",
    });
    const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await settled(stdout.read(), "the URL");
    void stdout.cancel();
    return new LoggingExecutor(value.trim(), child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What was logged so far. */
  get text(): string {
    return this.#text;
  }

  /** What was logged so far, whole lines only. */
  get lines(): readonly LogLine[] {
    return this.#text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  /** The lines with a message. */
  logged(message: string): readonly LogLine[] {
    return this.lines.filter((line) => line.message === message);
  }

  /** Shuts it down. Returns its exit code. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    if (this.#ended === undefined) this.#child.kill(signal);
    this.#ended ??= ended(this.#child);
    const { code } = await this.#ended;
    await this.#logEnded;
    await this.#child.stdin.abort().catch(() => {});
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #collect(): Promise<void> {
    for await (const part of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#text += part;
    }
  }
}
