import { assert, assertEquals } from "@std/assert";
import { startLocalProcess } from "../../src/client/local_process.ts";
import type { ExecProcess } from "../../src/client/mod.ts";
import { bytes, Followed } from "../support/followed.ts";
import { ScriptedExecutor, SILENCE } from "../support/scripted_executor.ts";
import { FaultyPath } from "../support/faulty_path.ts";
import { ListeningExecutor, REMEX_BIN } from "./support/executor.ts";
import { childrenWith } from "../support/marked_processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SIZE = { rows: 30, cols: 100 };

/** `remex exec --tty` run by a shell on a terminal, whose settings are compared afterwards. */
class Terminal implements Disposable {
  readonly #directory: TemporaryDirectory;
  readonly #process: ExecProcess;
  readonly screen: Followed;

  private constructor(directory: TemporaryDirectory, process: ExecProcess) {
    this.#directory = directory;
    this.#process = process;
    this.screen = new Followed(process);
  }

  /** @param args what comes after `exec --tty` */
  static async run(args: readonly string[]): Promise<Terminal> {
    const directory = new TemporaryDirectory();
    const script =
      `echo $$ > pid; stty -g > before; "$@"; code=$?; stty -g > after; echo "exit code $code"`;
    const process = await startLocalProcess({
      argv: ["bash", "-c", script, "bash", REMEX_BIN, "exec", "--tty", ...args],
      cwd: `file://${directory.path}`,
      env: { PATH: "/usr/bin:/bin", TERM: "xterm-test" },
      tty: true,
      terminalSize: SIZE,
    });
    return new Terminal(directory, process);
  }

  async types(text: string): Promise<void> {
    await this.#process.write(bytes(text));
  }

  async resizes(rows: number, cols: number): Promise<void> {
    await this.#process.resize({ rows, cols });
  }

  /** Sends a signal to `remex exec`. */
  signals(signal: Deno.Signal): void {
    const shell = Number(Deno.readTextFileSync(`${this.#directory.path}/pid`));
    for (const pid of childrenWith(shell, "--tty")) Deno.kill(pid, signal);
  }

  shows(pattern: RegExp): Promise<void> {
    return this.screen.says(pattern, "pty");
  }

  get text(): string {
    return this.screen.text("pty");
  }

  /** Waits for the end of `remex exec` with this code, and for the terminal to be as it was. */
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

function test(name: string, fn: () => Promise<void>): void {
  // What serves all terminals of a program lives as long as the program.
  Deno.test({ name: `exec --tty: ${name}`, fn, sanitizeOps: false, sanitizeResources: false });
}

test("the command has a terminal of our size and kind, and learns of changes", async () => {
  const script = "echo $TERM; trap 'exit 6' INT; while :; do stty size; sleep 0.05; done";
  using terminal = await Terminal.run(["--stdio", "--", "bash", "-c", script]);
  await terminal.shows(/xterm-test/);
  await terminal.shows(/30 100/);
  await terminal.resizes(40, 120);
  await terminal.shows(/40 120/);
  await terminal.types("\x03");
  await terminal.endsWith(6);
});

test("keys are the command's, Ctrl-C among them", async () => {
  using terminal = await Terminal.run([
    "--stdio",
    "--",
    "bash",
    "-c",
    "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done",
  ]);
  await terminal.shows(/ready/);
  await terminal.types("\x03");
  await terminal.shows(/caught/);
  await terminal.endsWith(9);
});

test("keys are not shown twice", async () => {
  using terminal = await Terminal.run([
    "--stdio",
    "--",
    "sh",
    "-c",
    "echo ready; read x; echo got $x",
  ]);
  await terminal.shows(/ready/);
  await terminal.types("once\r");
  await terminal.shows(/got once/);
  await terminal.endsWith(0);
  assertEquals(terminal.text.match(/once/g)?.length, 2);
});

test("output reaches the terminal as the command's terminal made it", async () => {
  const script = "stty -opost; printf 'a\\nb'; stty opost; printf 'c\\nd\\n'";
  using terminal = await Terminal.run(["--stdio", "--", "sh", "-c", script]);
  await terminal.endsWith(0);
  assert(terminal.text.includes("a\nbc\r\nd\r\n"), JSON.stringify(terminal.text));
});

test("the terminal is restored when the command cannot be started", async () => {
  using terminal = await Terminal.run(["--stdio", "--", "/nonexistent"]);
  await terminal.endsWith(127);
});

test("the terminal is restored when the command is killed", async () => {
  using terminal = await Terminal.run(["--stdio", "--", "sh", "-c", "echo ready; kill -9 $$"]);
  await terminal.endsWith(137);
});

test("the terminal is restored when exec is told to end", async () => {
  using terminal = await Terminal.run([
    "--stdio",
    "--",
    "sh",
    "-c",
    "echo ready; exec sleep 60",
  ]);
  await terminal.shows(/ready/);
  terminal.signals("SIGTERM");
  await terminal.endsWith(143);
});

test("the terminal is restored when the executor dies", async () => {
  await using executor = await ListeningExecutor.start();
  using terminal = await Terminal.run([
    ...["--url", executor.url, "--cwd", "/", "--reconnect-timeout", "0.5"],
    ...["--", "sh", "-c", "echo ready; exec sleep 60"],
  ]);
  await terminal.shows(/ready/);
  await executor.endBy("SIGKILL");
  await terminal.shows(/remex: .* did not come back/);
  await terminal.endsWith(255);
});

test("a connection that breaks is told of in one line, and nothing is lost", async () => {
  await using executor = await ListeningExecutor.start();
  await using path = new FaultyPath(executor.url, () => ({}));
  using terminal = await Terminal.run([
    ...["--url", path.url, "--cwd", "/"],
    ...["--", "bash", "-c", "echo ready; while read line; do echo got $line; done; exit 4"],
  ]);
  await terminal.shows(/ready/);
  path.cutAll();
  await terminal.types("over the break\r");
  await terminal.shows(/got over the break/);
  await terminal.types("\x04");
  await terminal.endsWith(4);
  assertEquals(terminal.text.match(/remex: .*reconnecting\r\n/g)?.length, 1);
});

test("Ctrl-C ends the waiting for an executor that is out of reach", async () => {
  await using executor = await ListeningExecutor.start();
  using terminal = await Terminal.run([
    ...["--url", executor.url, "--cwd", "/", "--", "sh", "-c", "echo ready; exec sleep 60"],
  ]);
  await terminal.shows(/ready/);
  await executor.endBy("SIGKILL");
  await terminal.shows(/reconnecting/);
  await terminal.types("\x03");
  await terminal.endsWith(255);
});

test("a size that changes while the command is started is the command's", async () => {
  await using executor = new ScriptedExecutor(({ method }) =>
    method === "process/start" ? SILENCE : undefined
  );
  using terminal = await Terminal.run(["--url", executor.url, "--cwd", "/", "--", "top"]);
  const { params: { processId, terminalSize }, connection } = await executor.request(
    "process/start",
  );
  assertEquals(terminalSize, SIZE);
  await terminal.resizes(41, 121);
  connection.send(JSON.stringify({ id: 2, result: { processId } }));
  const { params } = await executor.request("process/resize");
  assertEquals(params, { processId, rows: 41, cols: 121 });
  connection.notify("process/exited", { processId, seq: 1, exitCode: 6, sandboxDenied: false });
  connection.notify("process/closed", { processId, seq: 2 });
  await terminal.endsWith(6);
});

test("a tilde and a dot at the beginning of a line leave an executor that stands still", async () => {
  await using executor = await ListeningExecutor.start();
  using terminal = await Terminal.run([
    ...["--url", executor.url, "--cwd", "/", "--", "sh", "-c", "echo ready; cat"],
  ]);
  await terminal.shows(/ready/);
  await terminal.types("a ~. and ~~ stay\r");
  await terminal.shows(/a ~\. and ~~ stay\r\na ~\. and ~~ stay\r\n/);
  await terminal.types("~~.\r");
  await terminal.shows(/\n~\.\r\n~\.\r\n/);
  await terminal.types("~x\r");
  await terminal.shows(/\n~x\r\n~x\r\n/);
  Deno.kill(executor.pid, "SIGSTOP");
  try {
    await terminal.types("\x03~.");
    await terminal.types("\r~.");
    await terminal.endsWith(255);
  } finally {
    Deno.kill(executor.pid, "SIGCONT");
  }
});

test("--no-escape leaves tildes to the command", async () => {
  using terminal = await Terminal.run([
    ...["--stdio", "--no-escape", "--", "sh", "-c", "echo ready; read x; echo got $x"],
  ]);
  await terminal.shows(/ready/);
  await terminal.types("~.\r");
  await terminal.shows(/got ~\./);
  await terminal.endsWith(0);
});
