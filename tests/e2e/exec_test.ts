import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RpcError } from "../../src/protocol/errors.ts";
import { ScriptedExecutor, SILENCE } from "../support/scripted_executor.ts";
import { ExecRun, execToEnd } from "./support/exec_run.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Where the command of a test runs: over a WebSocket, or on an executor of its own. */
const PLACES: readonly [string, () => Promise<AsyncDisposable & { args: readonly string[] }>][] = [
  ["--url", async () => {
    const executor = await ListeningExecutor.start();
    return {
      args: ["--url", executor.url, "--cwd", "/"],
      [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
    };
  }],
  ["--stdio", () =>
    Promise.resolve({
      args: ["--stdio", "--cwd", "/"],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    })],
];

for (const [name, place] of PLACES) {
  Deno.test(`exec ${name}: output goes to its own streams, the exit code is the command's`, async () => {
    await using at = await place();
    const script = "echo out; echo err >&2; exit 42";
    assertEquals(await execToEnd([...at.args, "--", "sh", "-c", script]), {
      code: 42,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  Deno.test(`exec ${name}: a command that a signal ends has 128 and its number`, async () => {
    await using at = await place();
    assertEquals((await execToEnd([...at.args, "--", "sh", "-c", "kill -9 $$"])).code, 137);
  });

  Deno.test(`exec ${name}: input goes through, with its end`, async () => {
    await using at = await place();
    let input = "";
    for (let line = 0; line < 100_000; line++) input += `line ${line}\n`;
    const run = await execToEnd([...at.args, "--", "cat"], input);
    assertEquals([run.code, run.stderr], [0, ""]);
    assert(run.stdout === input, "every line once and in order");
  });

  Deno.test(`exec ${name}: a command that reads nothing ends all the same`, async () => {
    await using at = await place();
    await using run = new ExecRun([...at.args, "--", "true"]);
    assertEquals(await run.end(), 0);
  });

  Deno.test(`exec ${name}: an interrupt is the command's`, async () => {
    await using at = await place();
    await using run = new ExecRun([
      ...at.args,
      "--",
      "sh",
      "-c",
      "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    await run.says(/ready/);
    run.signal("SIGINT");
    assertEquals(await run.end(), 9);
    assertEquals(run.stdout, "ready\ncaught\n");
  });

  Deno.test(`exec ${name}: a second interrupt kills`, async () => {
    await using at = await place();
    await using run = new ExecRun([
      ...at.args,
      "--",
      "sh",
      "-c",
      "trap 'echo caught' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    await run.says(/ready/);
    run.signal("SIGINT");
    await run.says(/caught/);
    run.signal("SIGINT");
    assertEquals(await run.end(), 137);
  });

  for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    Deno.test(`exec ${name}: ${signal} ends the command too`, async () => {
      await using at = await place();
      await using marked = new MarkedProcesses();
      await using run = new ExecRun([...at.args, "--", "sleep", marked.duration]);
      // This one, and the exec that has it on its command line.
      await marked.reach(2);
      run.signal(signal);
      assertEquals(await run.end(), code);
      await marked.reach(0);
    });
  }

  Deno.test(`exec ${name}: when nobody reads its output the command ends`, async () => {
    await using at = await place();
    await using marked = new MarkedProcesses();
    const line = [...at.args, "--", "sh", "-c", "while :; do echo y; done", marked.duration];
    const run = await new Deno.Command("bash", {
      args: ["-c", '"$@" | head -1; exit ${PIPESTATUS[0]}', "bash", ...execLine(line)],
    }).output();
    assertEquals(new TextDecoder().decode(run.stdout), "y\n");
    assertEquals(run.code, 141);
    await marked.reach(0);
  });
}

function execLine(args: readonly string[]): string[] {
  return [Deno.env.get("REMEX_BIN") ?? "dist/remex", "exec", ...args];
}

Deno.test("exec: directory and variables are the ones asked for", async () => {
  using directory = new TemporaryDirectory();
  const script = "pwd; echo $A; echo $B; echo $REMEX_TEST_TOKEN";
  const run = await execToEnd(
    ["--stdio", "--cwd", directory.path, "--env", "A=a=b", "--env", "B", "--", "sh", "-c", script],
    "",
    { B: "from here", REMEX_TEST_TOKEN: "secret" },
  );
  assertEquals(run.stdout, `${directory.path}\na=b\nfrom here\n\n`);
});

Deno.test("exec: without --cwd the command runs where the executor does", async () => {
  using directory = new TemporaryDirectory();
  await using executor = await ListeningExecutor.start({ cwd: directory.path });
  const run = await execToEnd(["--url", executor.url, "--", "pwd"]);
  assertEquals(run.stdout, `${directory.path}\n`);
});

Deno.test("exec: an executor can be reached by a unix socket", async () => {
  using directory = new TemporaryDirectory();
  const address = `unix:${directory.path}/socket`;
  await using executor = await ListeningExecutor.start({}, ["--listen", address]);
  assertEquals(executor.url, address);
  assertEquals(
    await execToEnd(["--url", address, "--", "sh", "-c", "cat; exit 3"], "input\n"),
    { code: 3, stdout: "input\n", stderr: "" },
  );
});

Deno.test("exec --stdio: an executor that dies is told of", async () => {
  await using run = new ExecRun(["--stdio", "--", "sh", "-c", "echo $PPID; exec sleep 60"]);
  await run.says(/\d+\n/);
  Deno.kill(Number(run.stdout), "SIGKILL");
  assertEquals(await run.end(), 255);
  assertEquals(run.stderr, "remex: the executor has ended, with exit code 137\n");
});

Deno.test("exec: --no-stdin leaves the input alone", async () => {
  const run = await execToEnd(["--stdio", "--no-stdin", "--", "cat"], "not for cat");
  assertEquals([run.code, run.stdout], [0, ""]);
});

Deno.test("exec: a command that ends before it has read all of its input ends exec as ever", async () => {
  const input = "x".repeat(1_000_000);
  // Whether the last of the input is under way then is a matter of chance.
  for (let round = 0; round < 10; round++) {
    const run = await execToEnd(["--stdio", "--", "sh", "-c", "exit 7"], input);
    assertEquals([run.code, run.stdout, run.stderr], [7, "", ""]);
  }
});

Deno.test("exec: what cannot be started has the shell's exit codes", async () => {
  const missing = await execToEnd(["--stdio", "--", "/nonexistent"]);
  assertEquals(missing.code, 127);
  assertMatch(missing.stderr, /^remex: \/nonexistent: No such file or directory .*\n$/);
  assertEquals((await execToEnd(["--stdio", "--", "/etc"])).code, 126);
});

Deno.test("exec: a bad command line is answered with one line and exit code 2", async (t) => {
  const url = ["--url", "ws://127.0.0.1:1"];
  const bad: Record<string, string[]> = {
    "no executor": ["--", "true"],
    "two executors": ["--stdio", ...url, "--", "true"],
    "no command": ["--stdio"],
    "no command after --": ["--stdio", "--"],
    "no --": ["--stdio", "true"],
    "an unknown option": ["--stdio", "--nope", "--", "true"],
    "no URL": ["--url", "localhost:80", "--", "true"],
    "a relative directory elsewhere": [...url, "--cwd", "src", "--", "true"],
    "an unknown profile": ["--stdio", "--sandbox", "none", "--", "true"],
    "workspaces of no sandbox": ["--stdio", "--workspace", "/tmp", "--", "true"],
    "a variable without a name": ["--stdio", "--env", "=x", "--", "true"],
    "a token file that is not there": [...url, "--token-file", "/nonexistent", "--", "true"],
    "a token that is none": [...url, "--token-file", "/dev/null", "--", "true"],
    "no command for ssh": ["--ssh", "host", "--ssh-command", "", "--", "true"],
    "a time that is none": ["--stdio", "--connect-timeout", "soon", "--", "true"],
  };
  for (const [what, args] of Object.entries(bad)) {
    await t.step(what, async () => {
      const run = await execToEnd(args);
      assertEquals([run.code, run.stdout], [2, ""]);
      assertMatch(run.stderr, /^remex: .+\n$/);
    });
  }
});

Deno.test("exec: an executor out of reach is told in one line, with exit code 255", async (t) => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ url }) =>
      url.endsWith("/token")
        ? new Response("wrong token\n", { status: 401 })
        : new Response("a web page\n"),
  );
  await using babbler = new ScriptedExecutor(({ connection }) => {
    connection.send("hello");
    return SILENCE;
  });
  using directory = new TemporaryDirectory();
  const token = directory.write("token", "abc\n", 0o600);
  const cases: Record<string, [string[], string]> = {
    "refused": [["--url", "ws://127.0.0.1:1"], "Connection refused"],
    "no such host": [["--url", "ws://name.invalid"], "cannot reach name.invalid"],
    "no such socket": [["--url", "unix:/nonexistent"], "No such file"],
    "silent": [
      ["--url", `ws://127.0.0.1:${silent.addr.port}`, "--connect-timeout", "0.3"],
      "did not answer within 0.3 s",
    ],
    "not a WebSocket": [["--url", `ws://127.0.0.1:${web.addr.port}`], "HTTP status 200"],
    "a wrong token": [
      ["--url", `ws://127.0.0.1:${web.addr.port}/token`, "--token-file", token],
      "wrong token",
    ],
    "another protocol": [["--url", babbler.url], "does not speak the exec-server protocol"],
  };
  for (const [what, [args, words]] of Object.entries(cases)) {
    await t.step(what, async () => {
      const run = await execToEnd([...args, "--cwd", "/", "--", "true"]);
      assertEquals([run.code, run.stdout], [255, ""]);
      assertMatch(run.stderr, /^remex: .+\n$/);
      assertStringIncludes(run.stderr, words);
    });
  }
  silent.close();
  await web.shutdown();
});

for (
  const [what, headers, cwd] of [
    ["in a given directory", {}, ["--cwd", "/"]],
    ["in the directory that the executor told when it consented", { "remex-cwd": "file:///" }, []],
  ] as const
) {
  Deno.test(`exec: everything that a start ${what} needs is sent without waiting`, async () => {
    const answers: (() => void)[] = [];
    await using executor = new ScriptedExecutor(({ method, params, connection }) => {
      const exited = () => {
        const { processId } = params;
        const exit = { exitCode: 5, sandboxDenied: false };
        connection.notify("process/exited", { processId, seq: 1, ...exit });
        connection.notify("process/closed", { processId, seq: 2 });
      };
      if (method === "initialize") {
        answers.push(() => connection.send(`{"id":1,"result":{"sessionId":"s"}}`));
      }
      if (method !== "process/start") return method === "initialize" ? SILENCE : undefined;
      for (const answer of answers) answer();
      queueMicrotask(exited);
    }, headers);
    const run = await execToEnd(["--url", executor.url, ...cwd, "--no-stdin", "--", "true"]);
    assertEquals(run, { code: 5, stdout: "", stderr: "" });
    assertEquals(executor.methods(), ["process/start"]);
    assertEquals((await executor.request("process/start")).params.cwd, "file:///");
  });
}

Deno.test("exec: the sandbox is asked for as intent", async () => {
  await using executor = new ScriptedExecutor(({ method }) => {
    if (method === "process/start") throw new RpcError(-32603, "no sandbox here");
  });
  const run = await execToEnd([
    "--url",
    executor.url,
    ...["--cwd", "/work", "--sandbox", "workspace-write", "--workspace", "/a", "--workspace", "/b"],
    ...["--", "true"],
  ]);
  assertEquals([run.code, run.stderr], [126, "remex: no sandbox here\n"]);
  const { params } = await executor.request("process/start");
  const sandbox = JSON.stringify(params.sandbox);
  assertStringIncludes(sandbox, '"cwd":"file:///work"');
  assertStringIncludes(sandbox, '"workspaceRoots":["file:///a","file:///b"]');
  assertStringIncludes(sandbox, '"network":"restricted"');
});

Deno.test("exec: an executor that cannot end an input is told of once", async () => {
  await using executor = new ScriptedExecutor(({ method }) => {
    if (method === "process/closeStdin") throw new RpcError(-32601, "unknown method");
  });
  await using run = new ExecRun(["--url", executor.url, "--cwd", "/", "--", "true"]);
  await run.write("input");
  await run.endInput();
  const told = "remex: this executor cannot end the command's input\n";
  await run.says(/input\n$/, "stderr");
  // Whoever has ended by then did not need it.
  const { params: { processId }, connection } = await executor.request("process/start");
  connection.notify("process/exited", { processId, seq: 1, exitCode: 0, sandboxDenied: false });
  connection.notify("process/closed", { processId, seq: 2 });
  assertEquals([await run.end(), run.stdout, run.stderr], [0, "", told]);
});

Deno.test({
  name: "exec: the profiles of --sandbox are enforced",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using workspace = new TemporaryDirectory();
    const inside = `${workspace.path}/inside`;
    const outside = "/var/remex-test-outside";
    const write = (profile: string) =>
      execToEnd([
        ...["--stdio", "--cwd", workspace.path, "--sandbox", profile],
        ...["--", "sh", "-c", `echo in > ${inside}; echo out > ${outside}`],
      ]);
    const workspaceWrite = await write("workspace-write");
    assertStringIncludes(workspaceWrite.stderr, outside);
    assertEquals(Deno.readTextFileSync(inside), "in\n");
    Deno.removeSync(inside);
    const readOnly = await write("read-only");
    assertStringIncludes(readOnly.stderr, inside);
    assertStringIncludes(readOnly.stderr, outside);
    assertEquals([...Deno.readDirSync(workspace.path)], []);
  },
});
