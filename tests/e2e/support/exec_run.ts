import { ended, REMEX_BIN } from "./executor.ts";
import { eventually } from "../../support/patience.ts";

/** A running `remex exec`, its output kept. Disposing of it kills it. */
export class ExecRun implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #done: Promise<void>;
  stdout = "";
  stderr = "";

  /** @param args what comes after `exec` */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = new Deno.Command(REMEX_BIN, {
      args: ["exec", ...args],
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#done = Promise.all([
      this.#keep(this.#child.stdout, (text) => this.stdout += text),
      this.#keep(this.#child.stderr, (text) => this.stderr += text),
    ]).then(() => {});
  }

  async write(text: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(text));
  }

  async endInput(): Promise<void> {
    await this.#stdin.close();
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until it has said what matches. */
  says(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<void> {
    return eventually(() => pattern.test(this[stream]), `${pattern}, not ${this.stderr}`);
  }

  /** Waits for its end and gives the exit code. */
  async end(): Promise<number> {
    const { code } = await ended(this.#child);
    await this.#done;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#stdin.abort().catch(() => {});
    await this.end();
  }

  async #keep(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) keep(decoder.decode(part, { stream: true }));
  }
}

/** Runs `remex exec` to its end, with this as its standard input. */
export async function execToEnd(
  args: readonly string[],
  input = "",
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using run = new ExecRun(args, env);
  // It may end without reading.
  await run.write(input).then(() => run.endInput()).catch(() => {});
  const code = await run.end();
  return { code, stdout: run.stdout, stderr: run.stderr };
}
