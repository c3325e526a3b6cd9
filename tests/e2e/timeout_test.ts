import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { run, shell } from "./support/commands.ts";
import { execToEnd } from "./support/exec_run.ts";
import { testBoth } from "./support/both_transports.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { isAlive } from "./support/files.ts";
import { eventually } from "../support/patience.ts";
import { openWebSocket } from "./support/websocket_client.ts";

const HANDLES_TERM = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.02; done";
const IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 0.02; done";

Deno.test("exec --timeout: a command whose time is up is told to end", async () => {
  const { code, stdout } = await execToEnd(
    ["--stdio", "--timeout", "2", "--no-stdin", "--", "sh", "-c", HANDLES_TERM],
  );
  assertEquals({ code, stdout }, { code: 124, stdout: "ready\ntold\n" });
});

Deno.test("exec --timeout: one that does not heed that is killed", async () => {
  const result = await execToEnd([
    ...["--stdio", "--timeout", "2", "--grace", "0.1", "--no-stdin"],
    ...["--", "sh", "-c", IGNORES_TERM],
  ]);
  assertEquals(result, { code: 124, stdout: "ready\n", stderr: "" });
});

Deno.test("exec --timeout: one that ends in time has its own exit code", async () => {
  const result = await execToEnd(["--stdio", "--timeout", "50", "--", "sh", "-c", "exit 3"]);
  assertEquals(result, { code: 3, stdout: "", stderr: "" });
});

Deno.test("exec --timeout: what is no time is refused", async () => {
  for (const text of ["0", "soon", "1e9", "2147484", ""]) {
    const { code, stderr } = await execToEnd(["--stdio", `--timeout=${text}`, "--", "true"]);
    assertEquals(code, 2);
    assertMatch(stderr, /^remex: --timeout: `.*` is not a number of seconds above 0/);
  }
});

Deno.test("what a command that heeds the end of its time leaves behind is killed after the grace", async () => {
  const limits = ["--grace", "0.2", "--command-limits", "time=1"];
  await using executor = await ListeningExecutor.start({}, limits);
  await using client = await openWebSocket(executor.url);
  // One is in the command's own process group, the other in a session of its own.
  const stubborn = "sh -c 'trap \"\" TERM; echo $$; exec sleep 1000'";
  const script = `${stubborn} & setsid ${stubborn} & exec sleep 1000`;
  const runs = [["client", { timeoutMs: 500 }], ["executor", {}]] as const;
  await Promise.all(runs.map(async ([limitedBy, more]) => {
    const { stdout } = await run(client, shell(limitedBy, script, more));
    const left = stdout.trim().split("\n");
    assertEquals(left.length, 2);
    // One that is killed has closed its output before it is gone.
    await eventually(() => !left.some(isAlive), "the end of what was left behind");
  }));
});

testBoth("process/start: the exit tells that the time was up", async ({ open }) => {
  await using client = await open();
  const { events } = await run(client, shell("p", "exec sleep 60", { timeoutMs: 500 }));
  const exited = events.find(({ method }) => method === "process/exited");
  assertObjectMatch(exited ?? {}, { params: { timedOut: true } });
  assertObjectMatch(await client.request("process/read", { processId: "p" }), {
    result: { timedOut: true },
  });
  for (const timeoutMs of [0, -1, 1.5, 2 ** 31, "1"]) {
    assertObjectMatch(await client.request("process/start", shell("q", "true", { timeoutMs })), {
      error: { code: -32602 },
    });
  }
});
