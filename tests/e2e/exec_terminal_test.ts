import { assert, assertEquals } from "@std/assert";
import { ScriptedExecutor, SILENCE } from "../support/scripted_executor.ts";
import { FaultyPath } from "../support/faulty_path.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { Terminal, TERMINAL_SIZE } from "./support/terminal.ts";

function onTerminal(args: readonly string[]): Promise<Terminal> {
  return Terminal.run(["exec", "--tty", ...args]);
}

function test(name: string, fn: () => Promise<void>): void {
  // What serves all terminals of a program lives as long as the program.
  Deno.test({ name: `exec --tty: ${name}`, fn, sanitizeOps: false, sanitizeResources: false });
}

test("the command has a terminal of our size and kind, and learns of changes", async () => {
  const script = "echo $TERM; trap 'exit 6' INT; while :; do stty size; sleep 0.05; done";
  using terminal = await onTerminal(["--stdio", "--", "bash", "-c", script]);
  await terminal.shows(/xterm-test/);
  await terminal.shows(/30 100/);
  await terminal.resizes(40, 120);
  await terminal.shows(/40 120/);
  await terminal.types("\x03");
  await terminal.endsWith(6);
});

test("keys are the command's, Ctrl-C among them", async () => {
  using terminal = await onTerminal([
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
  using terminal = await onTerminal([
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
  using terminal = await onTerminal(["--stdio", "--", "sh", "-c", script]);
  await terminal.endsWith(0);
  assert(terminal.text.includes("a\nbc\r\nd\r\n"), JSON.stringify(terminal.text));
});

test("the terminal is restored when the command cannot be started", async () => {
  using terminal = await onTerminal(["--stdio", "--", "/nonexistent"]);
  await terminal.endsWith(127);
});

test("the terminal is restored when the command is killed", async () => {
  using terminal = await onTerminal(["--stdio", "--", "sh", "-c", "echo ready; kill -9 $$"]);
  await terminal.endsWith(137);
});

test("the terminal is restored when exec is told to end", async () => {
  using terminal = await onTerminal([
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
  using terminal = await onTerminal([
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
  using terminal = await onTerminal([
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
  using terminal = await onTerminal([
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
  using terminal = await onTerminal(["--url", executor.url, "--cwd", "/", "--", "top"]);
  const { params: { processId, terminalSize }, connection } = await executor.request(
    "process/start",
  );
  assertEquals(terminalSize, TERMINAL_SIZE);
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
  using terminal = await onTerminal([
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
  using terminal = await onTerminal([
    ...["--stdio", "--no-escape", "--", "sh", "-c", "echo ready; read x; echo got $x"],
  ]);
  await terminal.shows(/ready/);
  await terminal.types("~.\r");
  await terminal.shows(/got ~\./);
  await terminal.endsWith(0);
});
