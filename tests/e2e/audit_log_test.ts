import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { userInfo } from "node:os";
import { canRunBubblewrap } from "../sandbox/linux/sandboxed_run.ts";
import { eventually } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { command, run, shell, start, stdoutOf, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor, runToEnd } from "./support/executor.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import { testOnMachine } from "./support/machine.ts";
import { connectStdio } from "./support/stdio_client.ts";
import { connectWebSocket, openWebSocket } from "./support/websocket_client.ts";

/** What a log has; every line has to be an object. */
function records(text: string): Message[] {
  assert(text.endsWith("\n"), text);
  return text.split("\n").slice(0, -1).map((line) => {
    const parsed: unknown = JSON.parse(line);
    assert(isRecord(parsed), line);
    return parsed;
  });
}

/** Waits for the record of a process's end. */
async function endOf(path: string, process: string): Promise<Message> {
  let found: Message | undefined;
  await eventually(() => {
    found = records(Deno.readTextFileSync(path))
      .find((record) => record.event === "end" && record.process === process);
    return found !== undefined;
  }, `the end of ${process}`);
  return found ?? {};
}

Deno.test("audit log: who ran what where and how it ended, and no secrets", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/audit.jsonl`;
  await using executor = await ListeningExecutor.start({}, ["--audit-log", path]);
  await using client = await connectWebSocket(executor.url);
  const sessionId = await client.initialize();
  const env = { PATH: "/usr/bin:/bin", TOKEN: "secret-value" };
  const script = 'test -n "$TOKEN" && exit 7';
  await run(client, shell("one", script, { env, cwd: "file:///usr" }));
  await client.request("process/start", command("two", ["/no/such/program"], { env }));
  await start(client, shell("three", "echo runs; exec sleep 1000", { timeoutMs: 1000 }));

  assertObjectMatch(await endOf(path, "three"), { outcome: "timedOut", exitCode: 143 });
  const { outcome, reason } = await endOf(path, "two");
  assertEquals(outcome, "failed");
  assertMatch(String(reason), /no such file or directory/i);
  const text = Deno.readTextFileSync(path);
  const [first = {}, second = {}] = records(text);
  assertObjectMatch(first, {
    event: "start",
    process: "one",
    transport: "websocket",
    user: userInfo().username,
    argv: ["/bin/sh", "-c", script],
    cwd: "/usr",
    tty: false,
    sandbox: null,
  });
  assertMatch(String(first.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertMatch(String(first.peer), /^127\.0\.0\.1:\d+$/);
  assertObjectMatch(second, {
    event: "end",
    process: "one",
    session: first.session,
    outcome: "exited",
    exitCode: 7,
    sandboxType: "none",
  });
  assert(!text.includes("secret-value"), text);
  // Whoever has the id of a session can take it over.
  assert(!text.includes(sessionId), text);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

Deno.test("audit log: the subject of a signed token is in it", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/audit.jsonl`;
  const secret = directory.write("secret", "x".repeat(32), 0o600);
  const making = ["token", "--ws-shared-secret-file", secret, "--subject", "ada@example.org"];
  const token = directory.write("token", (await runToEnd(making)).stdout, 0o600);
  const signed = ["--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", secret];
  await using executor = await ListeningExecutor.start({}, ["--audit-log", path, ...signed]);
  const args = ["exec", "--url", executor.url, "--token-file", token, "--", "true"];
  assertEquals((await runToEnd(args)).code, 0);
  const [start = {}] = records(Deno.readTextFileSync(path));
  assertObjectMatch(start, { event: "start", argv: ["true"], subject: "ada@example.org" });
});

Deno.test("audit log: what ends with its session or with the executor has an end, too", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/audit.jsonl`;
  await using executor = await ListeningExecutor.start({}, ["--audit-log", path]);
  const script = "trap '' TERM; echo runs; while :; do sleep 1000; done";
  const gone = await openWebSocket(executor.url);
  await start(gone, shell("left", script));
  await waitForOutput(gone, "left", "runs");
  await gone.request("session/end", {});
  await gone.close();
  assertObjectMatch(await endOf(path, "left"), { outcome: "shutdown" });

  await using client = await openWebSocket(executor.url);
  await start(client, shell("stays", script));
  await waitForOutput(client, "stays", "runs");
  await executor.endBy("SIGTERM");
  assertEquals(records(Deno.readTextFileSync(path)).map(({ event, process }) => [event, process]), [
    ["start", "left"],
    ["end", "left"],
    ["start", "stays"],
    ["end", "stays"],
  ]);
});

Deno.test("audit log: a log that was renamed or removed is begun anew, one that was emptied goes on", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/audit.jsonl`;
  await using client = connectStdio({ env: { PATH: "/usr/bin:/bin", REMEX_AUDIT_LOG: path } });
  await client.initialize();
  const runs = async (process: string) => {
    await run(client, command(process, ["true"]));
    await endOf(path, process);
  };
  await runs("one");
  Deno.renameSync(path, `${path}.1`);
  await runs("two");
  Deno.truncateSync(path);
  await runs("three");
  assertEquals(records(Deno.readTextFileSync(path)).length, 2);
  assertEquals(records(Deno.readTextFileSync(`${path}.1`)).length, 2);
  Deno.removeSync(path);
  await runs("four");
  assertEquals(records(Deno.readTextFileSync(path)).length, 2);
});

Deno.test({
  name: "audit log: a sandboxed command neither reads nor changes it, wherever it lies",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}/audit.jsonl`;
    await using client = connectStdio({ env: { PATH: "/usr/bin:/bin", REMEX_AUDIT_LOG: path } });
    await client.initialize();
    const enclosed = enclosedIn(directory.path);
    const script =
      "cat audit.jsonl; echo no >> audit.jsonl; true > audit.jsonl; rm -f audit.jsonl; " +
      "mv audit.jsonl away; touch here";
    const { stdout } = await run(client, shell("tries", script, enclosed));
    assertEquals(stdout, "");
    // What it may do it could.
    assert(Deno.statSync(`${directory.path}/here`).isFile);
    assertObjectMatch(await endOf(path, "tries"), { sandboxType: "linuxSeccomp" });
    const [{ sandbox } = {}, ...rest] = records(Deno.readTextFileSync(path));
    assertEquals(rest.length, 1);
    assertObjectMatch({ sandbox }, { sandbox: { workspaceRoots: [`file://${directory.path}`] } });
    assertMatch(JSON.stringify(sandbox), /"type":"managed".*"network":"restricted"/);
    const answer = await client.request("fs/readFile", {
      path: `file://${path}`,
      sandbox: enclosed.sandbox,
    });
    assert(answer.error !== undefined, JSON.stringify(answer));
  },
});

Deno.test({
  name: "audit log: on a full disk commands go on, and the log says how much is missing",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}/audit.jsonl`;
    const view = ["--dev-bind", "/", "/", "--size", "65536", "--tmpfs", directory.path];
    await using client = connectStdio({
      launcher: ["bwrap", ...view, "--"],
      env: { PATH: "/usr/bin:/bin", REMEX_AUDIT_LOG: path },
      stderr: "null",
    });
    await client.initialize();
    const cwd = `file://${directory.path}`;
    await run(client, shell("fills", "cat /dev/zero > filler; :", { cwd }));
    // What does not fit into the rest of a block, of which there is one at the most.
    const argv = ["sh", "-c", ":", "x".repeat(8192)];
    assertEquals((await run(client, command("unseen", argv))).exitCode, 0);
    await run(client, shell("empties", ": > filler", { cwd }));
    const text = await stdoutOf(client, command("reads", ["cat", path]));
    const whole = text.split("\n").filter((line) => line.endsWith("}"));
    const last = records(`${whole.join("\n")}\n`);
    assertObjectMatch(last.at(-1) ?? {}, { event: "start", process: "reads" });
    const omitted = last.map(({ omitted = 0 }) => Number(omitted));
    assert(omitted.reduce((sum, count) => sum + count) >= 1, text);
    assert(!last.some(({ event, process }) => event === "start" && process === "unseen"), text);
  },
});

Deno.test("audit log: an executor whose log cannot be opened does not start", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  const cases = [
    [`${path}/missing/log`, "cannot be opened: No such file or directory"],
    [path, "is no regular file"],
    ["/dev/null", "is no regular file"],
  ] as const;
  for (const [log, reason] of cases) {
    const { code, stdout, stderr } = await runToEnd(["serve", "--audit-log", log]);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertMatch(stderr, new RegExp(`^remex: --audit-log: ${log} ${reason}[^\n]*\n$`));
  }
});

testOnMachine("audit log: where it is required no command starts unseen", async (machine) => {
  const path = `${machine.directory.path}/logs/audit.jsonl`;
  machine.etc("requirements.jsonc", JSON.stringify({ auditLog: path }));
  const elsewhere = ["serve", "--audit-log", "/tmp/other"];
  const refused = await runToEnd(elsewhere, "", machine.launch());
  assertEquals(refused.code, 2);
  assertMatch(refused.stderr, /auditLog is [^\n]*, but --audit-log is \/tmp\/other/);

  Deno.mkdirSync(`${machine.directory.path}/logs`);
  await using client = connectStdio({ ...machine.launch(), stderr: "null" });
  await client.initialize();
  assertEquals((await run(client, command("seen", ["true"]))).exitCode, 0);
  Deno.renameSync(`${machine.directory.path}/logs`, `${machine.directory.path}/gone`);
  const file = `${machine.directory.path}/ran`;
  const answer = await client.request("process/start", command("unseen", ["touch", file]));
  assertObjectMatch(answer, { error: { code: -32603 } });
  assertMatch(JSON.stringify(answer), /while the audit log/);
  assertEquals(await Deno.stat(file).catch(() => undefined), undefined);
  Deno.mkdirSync(`${machine.directory.path}/logs`);
  assertEquals((await run(client, command("again", ["true"]))).exitCode, 0);
  const [record = {}] = records(Deno.readTextFileSync(path));
  assertObjectMatch(record, { event: "start", process: "again" });
});
