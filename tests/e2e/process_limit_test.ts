import { assertEquals, assertObjectMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { childrenOf } from "../../src/os/procfs.ts";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { command } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { eventually } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { openWebSocket } from "./support/websocket_client.ts";

/** A user whose processes are only those of this test. */
const USER = 54_000 + Deno.pid % 1000;
const LIMIT = 40;
/** The runtime ends threads that have had nothing to do for ten seconds. */
const IDLE_THREADS_END_MS = 11_000;

const LAUNCHER = [
  ...["/usr/bin/setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"],
  ...["/usr/bin/prlimit", `--nproc=${LIMIT}`],
];
const canLimit = Deno.build.os === "linux" && Deno.uid() === 0;

/** Processes that do nothing, of the same user, as many as the limit allows. */
class Crowd implements AsyncDisposable {
  readonly #shell: Deno.ChildProcess;

  constructor() {
    const [program = "", ...args] = LAUNCHER;
    this.#shell = new Deno.Command(program, {
      // The shell says that it cannot fork, or ends.
      args: [...args, "/bin/bash", "-c", "while :; do sleep 1000 & done"],
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Once it has stopped, it starts no more.
    this.#shell.kill("SIGSTOP");
    for (const pid of childrenOf(this.#shell.pid)) kill(pid);
    kill(this.#shell.pid);
    await this.#shell.status;
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // Gone by now.
  }
}

Deno.test({
  name: "every request is answered when no process and no thread more can be started",
  ignore: !canLimit,
  fn: async () => {
    using directory = new TemporaryDirectory();
    Deno.chmodSync(directory.path, 0o777);
    const file = `file://${directory.write("file", "text", 0o666)}`;
    await using executor = await ListeningExecutor.start({ launcher: LAUNCHER });
    await using client = await openWebSocket(executor.url);
    await delay(IDLE_THREADS_END_MS);
    {
      await using _crowd = new Crowd();
      let tries = 0;
      await eventually(async () => {
        const start = command(`try ${++tries}`, ["/bin/true"]);
        const answer = await client.request("process/start", start);
        return JSON.stringify(answer).includes("os error 11");
      }, "the limit");
      const read = { result: { dataBase64: "dGV4dA==" } };
      assertObjectMatch(await client.request("fs/readFile", { path: file }), read);
      const copied = { sourcePath: file, destinationPath: `${file}2`, recursive: false };
      assertObjectMatch(await client.request("fs/copy", copied), { result: {} });
      const written = { path: `${file}3`, dataBase64: "dGV4dA==" };
      assertObjectMatch(await client.request("fs/writeFile", written), { result: {} });
      const sandbox = enclosedIn(directory.path);
      // With a thread of its own, or an error.
      const sandboxed = await client.request("fs/readFile", { path: file, ...sandbox });
      assertEquals(Object.hasOwn(sandboxed, "result") || Object.hasOwn(sandboxed, "error"), true);
      const get = { method: "GET", url: "http://localhost:1/", headers: [], requestId: "get" };
      assertObjectMatch(await client.request("http/request", get), { error: { code: -32603 } });
      const many = await Promise.all(
        Array.from({ length: 100 }, () => client.request("fs/readFile", { path: `${file}3` })),
      );
      assertEquals(many.filter(({ result }) => result === undefined), []);
    }
    assertObjectMatch(await client.request("process/start", command("last", ["/bin/true"])), {
      result: { processId: "last" },
    });
  },
});
