import { assert, assertEquals } from "@std/assert";
import { command, shell, start, waitForOutput } from "../support/commands.ts";
import { ExecRun, execToEnd } from "../support/exec_run.ts";
import { ListeningExecutor, remex } from "../support/executor.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { connectWebSocket } from "../support/websocket_client.ts";

const DEAF = "trap 'echo deaf' TERM HUP; echo ready; while :; do sleep 0.05; done";

for (const [signal, name] of [["SIGTERM", "TERM"], ["SIGHUP", "HUP"]] as const) {
  for (const place of ["--url", "--stdio"]) {
    Deno.test(`exec ${place}: ${signal} goes to the command as it came, and exec ends as it did`, async () => {
      await using executor = await ListeningExecutor.start();
      const where = place === "--url" ? [place, executor.url] : [place];
      const script = `trap 'echo ${name}; sleep 0.1; echo tidied; exit 9' ${name}
        echo ready; while :; do sleep 0.05; done`;
      await using run = new ExecRun([...where, "--cwd", "/", "--", "sh", "-c", script]);
      await run.says(/ready/);
      run.signal(signal);
      assertEquals(await run.end(), 9);
      assertEquals(run.stdout, `ready\n${name}\ntidied\n`);
    });
  }

  Deno.test(`exec: a command that ${signal} does not end is killed after the grace`, async () => {
    await using run = new ExecRun(["--stdio", "--grace", "0.3", "--", "sh", "-c", DEAF]);
    await run.says(/ready/);
    run.signal(signal);
    assertEquals(await run.end(), 137);
    assertEquals(run.stdout, "ready\ndeaf\n");
  });
}

Deno.test("timeout(1) gives a command time to tidy up", async () => {
  using directory = new TemporaryDirectory();
  const script = `trap 'echo tidied > tidied; exit 0' TERM
    echo $PPID > ready; while :; do sleep 0.05; done`;
  await using run = new ExecRun(["--stdio", "--cwd", directory.path, "--", "sh", "-c", script]);
  const file = (name: string) => [...Deno.readDirSync(directory.path)].some((f) => f.name === name);
  await eventually(() => file("ready"), "the command");
  run.signal("SIGTERM");
  assertEquals(await run.end(), 0);
  assert(file("tidied"));
});

Deno.test("a stdio executor whose input ends gives commands its grace", async () => {
  using directory = new TemporaryDirectory();
  const child = remex(["serve", "--listen", "stdio", "--grace", "10"], { cwd: directory.path });
  const writer = child.stdin.getWriter();
  const send = (message: object) =>
    writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  await send({ id: 1, method: "initialize", params: { clientName: "test" } });
  await send({ method: "initialized", params: {} });
  const script = `trap 'sleep 0.3; echo tidied > tidied; exit 0' TERM
    echo > ready; while :; do sleep 0.05; done`;
  const params = { ...shell("p", script), cwd: `file://${directory.path}` };
  await send({ id: 2, method: "process/start", params });
  const file = (name: string) => [...Deno.readDirSync(directory.path)].some((f) => f.name === name);
  await eventually(() => file("ready"), "the command");
  await writer.close();
  await child.stdout.cancel();
  assertEquals((await child.status).code, 0);
  assert(file("tidied"));
});

Deno.test("a stdio executor whose input ends kills after its grace", async () => {
  await using marked = new MarkedProcesses();
  const child = remex(["serve", "--listen", "stdio", "--grace", "0.2"]);
  const writer = child.stdin.getWriter();
  const send = (message: object) =>
    writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  await send({ id: 1, method: "initialize", params: { clientName: "test" } });
  await send({ method: "initialized", params: {} });
  const script = `trap '' TERM; sleep ${marked.duration}`;
  await send({ id: 2, method: "process/start", params: shell("p", script) });
  await marked.reach(2);
  await writer.close();
  await child.stdout.cancel();
  assertEquals((await child.status).code, 0);
  await marked.reach(0);
});

Deno.test("the commands of an expired session are asked to end before they are killed", async () => {
  using directory = new TemporaryDirectory();
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start({}, ["--grace", "20"]);
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  const script = `trap 'echo tidied > ${directory.path}/tidied; exit 0' TERM
    echo ready; while :; do sleep 0.05; done`;
  await start(client, shell("tidy", script));
  await waitForOutput(client, "tidy", "ready");
  await start(client, command("sleeper", ["sleep", marked.duration]));
  await start(client, shell("left", `sleep ${marked.duration} > /dev/null 2>&1 & exit 0`));
  await marked.reach(2);
  await client.close();
  const tidied = () => [...Deno.readDirSync(directory.path)].length === 1;
  await eventually(tidied, "the handler", { hangMs: 90_000, pollMs: 100 });
  await marked.reach(0);
});

Deno.test("exec waits for what holds the output, as ssh does, or for the command alone", async () => {
  const script = "(read line < fifo; echo late) & echo early; exit 4";
  const scene = (directory: TemporaryDirectory) => {
    new Deno.Command("mkfifo", { args: [`${directory.path}/fifo`] }).outputSync();
    return ["--stdio", "--cwd", directory.path];
  };
  {
    using directory = new TemporaryDirectory();
    const args = [...scene(directory), "--until", "exit", "--", "sh", "-c", script];
    assertEquals(await execToEnd(args), { code: 4, stdout: "early\n", stderr: "" });
  }
  using directory = new TemporaryDirectory();
  await using run = new ExecRun([...scene(directory), "--", "sh", "-c", script]);
  await run.says(/early/);
  await Deno.writeTextFile(`${directory.path}/fifo`, "go\n");
  assertEquals([await run.end(), run.stdout], [4, "early\nlate\n"]);
});

Deno.test("a working directory that is not there is not a missing command", async () => {
  const run = await execToEnd(["--stdio", "--cwd", "/nonexistent", "--", "true"]);
  assertEquals(run, {
    code: 126,
    stdout: "",
    stderr: "remex: the working directory /nonexistent: No such file or directory (os error 2)\n",
  });
  const sandboxed = ["--stdio", "--sandbox", "read-only", "--", "/nonexistent"];
  assertEquals(await execToEnd(sandboxed), {
    code: 127,
    stdout: "",
    stderr: "remex: /nonexistent: No such file or directory (os error 2)\n",
  });
});
