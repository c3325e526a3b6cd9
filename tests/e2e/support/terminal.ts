import { assert, assertEquals } from "@std/assert";
import { startLocalProcess } from "../../../src/client/local_process.ts";
import type { ExecProcess } from "../../../src/client/mod.ts";
import { bytes, Followed } from "../../support/followed.ts";
import { childrenWith } from "../../support/marked_processes.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { REMEX_BIN } from "./executor.ts";

/** The size of the terminal at first. */
export const TERMINAL_SIZE = { rows: 30, cols: 100 } as const;

/** The program under test run by a shell on a terminal, whose settings are compared afterwards. */
export class Terminal implements Disposable {
  readonly #directory: TemporaryDirectory;
  readonly #process: ExecProcess;
  readonly screen: Followed;

  private constructor(directory: TemporaryDirectory, process: ExecProcess) {
    this.#directory = directory;
    this.#process = process;
    this.screen = new Followed(process);
  }

  /**
   * @param args its command line
   * @param env more of its environment
   */
  static async run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Terminal> {
    const directory = new TemporaryDirectory();
    const script =
      `echo $$ > pid; stty -g > before; "$@"; code=$?; stty -g > after; echo "exit code $code"`;
    const process = await startLocalProcess({
      argv: ["bash", "-c", script, "bash", REMEX_BIN, ...args],
      cwd: `file://${directory.path}`,
      env: { PATH: "/usr/bin:/bin", TERM: "xterm-test", ...env },
      tty: true,
      terminalSize: TERMINAL_SIZE,
    });
    return new Terminal(directory, process);
  }

  async types(text: string): Promise<void> {
    await this.#process.write(bytes(text));
  }

  async resizes(rows: number, cols: number): Promise<void> {
    await this.#process.resize({ rows, cols });
  }

  /** Sends it a signal. */
  signals(signal: Deno.Signal): void {
    const shell = Number(Deno.readTextFileSync(`${this.#directory.path}/pid`));
    for (const pid of childrenWith(shell, REMEX_BIN)) Deno.kill(pid, signal);
  }

  shows(pattern: RegExp): Promise<void> {
    return this.screen.says(pattern, "pty");
  }

  get text(): string {
    return this.screen.text("pty");
  }

  /** Waits for its end with this code, and for the terminal to be as it was. */
  async endsWith(code: number): Promise<void> {
    await this.shows(/exit code/);
    await this.screen.end();
    assert(this.text.includes(`exit code ${code}\r\n`), this.text);
    const [before, after] = ["before", "after"].map((name) =>
      Deno.readTextFileSync(`${this.#directory.path}/${name}`)
    );
    assertEquals(after, before);
  }

  [Symbol.dispose](): void {
    this.#process.terminate();
    this.#directory[Symbol.dispose]();
  }
}
