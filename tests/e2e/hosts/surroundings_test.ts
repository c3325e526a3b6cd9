import { assert, assertEquals, assertMatch } from "@std/assert";
import { execToEnd } from "../support/exec_run.ts";
import { ListeningExecutor, remex, runToEnd } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const LINUX = { ignore: Deno.build.os !== "linux" };
const ENV = { PATH: "/usr/bin:/bin", HOME: "/", REMEX_LOG: "error" };

/** A program, by a shell whose script can set up what the tests' runtime cannot. */
function throughShell(script: string): { launcher: string[]; env: Record<string, string> } {
  return { launcher: ["bash", "-c", `${script}; exec "$0" "$@"`], env: ENV };
}

/** Local addresses of the sockets that a process listens on, as /proc has them. */
function listeningSockets(pid: number): string[] {
  const inodes = [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/${pid}/fd/${name}`))?.[1];
    } catch {
      return undefined;
    }
  });
  const rows = ["tcp", "tcp6"].flatMap((table) =>
    Deno.readTextFileSync(`/proc/${pid}/net/${table}`).trim().split("\n").slice(1)
  ).map((line) => line.trim().split(/\s+/));
  return rows.filter((row) => row[3] === "0A" && inodes.includes(row[9] ?? ""))
    .map((row) => row[1] ?? "");
}

for (const address of ["tcp:0.0.0.0:0", "duplicate,tcp:0.0.0.0:0", "tcp:127.0.0.1:0"]) {
  Deno.test({
    name: `DENO_SERVE_ADDRESS=${address} does not decide where an executor listens`,
    ...LINUX,
    async fn() {
      const env = { ...ENV, DENO_SERVE_ADDRESS: address };
      await using executor = await ListeningExecutor.start({ env });
      assertMatch(executor.url, /^ws:\/\/127\.0\.0\.1:/);
      const port = Number(new URL(executor.url).port).toString(16).toUpperCase().padStart(4, "0");
      assertEquals(listeningSockets(executor.pid), [`0100007F:${port}`]);
    },
  });
}

Deno.test("what is hidden from the runtime is not hidden from commands", async () => {
  const env = { ...ENV, DENO_SERVE_ADDRESS: "tcp:0.0.0.0:0", NODE_OPTIONS: "--title=x" };
  await using executor = await ListeningExecutor.start({ env });
  const script = 'echo "$DENO_SERVE_ADDRESS $NODE_OPTIONS"';
  const run = await execToEnd(["--url", executor.url, "--", "sh", "-c", script]);
  assertEquals(run, { code: 0, stdout: "tcp:0.0.0.0:0 --title=x\n", stderr: "" });
});

Deno.test("a client cannot tell an executor that it comes from elsewhere", async () => {
  const env = { ...ENV, DENO_TRUST_PROXY_HEADERS: "1", REMEX_LOG: "info" };
  const child = remex(["serve", "--grace", "0"], { env, stderr: "piped" });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: url = "" } = await reader.read();
  const answer = await fetch(url.trim().replace("ws:", "http:"), {
    headers: { "x-deno-client-address": "tcp:203.0.113.9:99" },
  });
  await answer.body?.cancel();
  child.kill("SIGTERM");
  await reader.cancel();
  await child.stdin.close();
  const log = await new Response(child.stderr).text();
  await child.status;
  assertMatch(log, /connection refused .*peer=127\.0\.0\.1:/);
  assert(!log.includes("203.0.113.9"), log);
});

Deno.test({
  name: "a variable that is not UTF-8 reaches commands byte for byte",
  ...LINUX,
  async fn() {
    const script = `export X=$'a\\xffb'`;
    const args = ["exec", "--stdio", "--", "sh", "-c", 'printf %s "$X" | od -An -tx1'];
    assertEquals(await runToEnd(args, "", throughShell(script)), {
      code: 0,
      stdout: " 61 ff 62\n",
      stderr: "",
    });
  },
});

Deno.test({
  name: "a variable whose name is not UTF-8 reaches commands byte for byte",
  ...LINUX,
  async fn() {
    const launcher = ["bash", "-c", `exec env $'Y\\xff=1' "$0" "$@"`];
    const args = ["exec", "--stdio", "--", "/usr/bin/env"];
    const { code, stdout } = await new Deno.Command("bash", {
      args: [...launcher.slice(1), Deno.env.get("REMEX_BIN") ?? "dist/remex", ...args],
      env: ENV,
    }).output();
    assertEquals(code, 0);
    const lines = new TextDecoder("latin1").decode(stdout).split("\n");
    assert(lines.includes("Yÿ=1"), lines.join("\n"));
  },
});

Deno.test({
  name: "a variable that cannot be sent is told in one line, with exit code 2",
  ...LINUX,
  async fn() {
    const args = ["exec", "--stdio", "--env", "X", "--", "true"];
    const told = await runToEnd(args, "", throughShell(`export X=$'a\\xffb'`));
    assertEquals(told, {
      code: 2,
      stdout: "",
      stderr: "remex: --env: the value of X is not UTF-8, and cannot be sent\n",
    });
    const setting = await runToEnd(["serve"], "", throughShell(`export REMEX_LISTEN=$'a\\xffb'`));
    assertEquals(setting, {
      code: 2,
      stdout: "",
      stderr: "remex: REMEX_LISTEN in the environment is not UTF-8\n",
    });
  },
});

Deno.test({
  name: "a working directory that is not UTF-8 is one like any other",
  ...LINUX,
  async fn() {
    using directory = new TemporaryDirectory();
    const there = throughShell(
      `mkdir -p $'${directory.path}/a\\xff' && cd $'${directory.path}/a\\xff'`,
    );
    const print = ["--", "sh", "-c", "pwd | od -An -c | tr -d ' \\n'"];
    const here = await runToEnd(["exec", "--stdio", ...print], "", there);
    assertEquals([here.code, here.stderr], [0, ""]);
    assertMatch(here.stdout, /\/a377\\n$/);
    const elsewhere = await runToEnd(["exec", "--stdio", "--cwd", "/", "--", "pwd"], "", there);
    assertEquals(elsewhere, { code: 0, stdout: "/\n", stderr: "" });
  },
});

Deno.test("PWD is the directory that a command runs in, OLDPWD is nobody's", async () => {
  using directory = new TemporaryDirectory();
  const env = { ...ENV, PWD: "/elsewhere", OLDPWD: "/before" };
  await using executor = await ListeningExecutor.start({ env, cwd: directory.path });
  const run = (...args: string[]) =>
    execToEnd(["--url", executor.url, ...args, "--", "sh", "-c", "/usr/bin/env | grep PWD"]);
  assertEquals((await run()).stdout, `PWD=${directory.path}\n`);
  assertEquals((await run("--cwd", "/usr")).stdout, "PWD=/usr\n");
  assertEquals((await run("--cwd", "/usr", "--env", "PWD=/my")).stdout, "PWD=/usr\n");
  const printed = await execToEnd([
    "--url",
    executor.url,
    "--cwd",
    "/usr",
    "--",
    "printenv",
    "PWD",
  ]);
  assertEquals(printed.stdout, "/usr\n");
});

for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP"] as const) {
  const ignoring = throughShell(`trap '' ${signal.slice(3)}`);

  Deno.test(`an executor that was started to ignore ${signal} does`, async () => {
    await using executor = await ListeningExecutor.start(ignoring);
    Deno.kill(executor.pid, signal);
    const run = await execToEnd(["--url", executor.url, "--", "echo", "alive"]);
    assertEquals(run.stdout, "alive\n");
    assertEquals((await executor.endBy("SIGTERM")).code, 0);
  });

  Deno.test(`an exec that was started to ignore ${signal} does, and its command does not`, async () => {
    const script = "trap 'echo got; exit 9' INT QUIT HUP; echo ready; read line; exit 3";
    const child = remex(["exec", "--stdio", "--", "sh", "-c", script], ignoring);
    let said = "";
    const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({ write: (text) => void (said += text) }),
    );
    await eventually(() => said === "ready\n", "the command");
    child.kill(signal);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("go\n"));
    await writer.close();
    assertEquals((await child.status).code, 3);
    await reading;
    assertEquals(said, "ready\n");
  });
}
