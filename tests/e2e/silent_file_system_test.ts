import { assertEquals, assertObjectMatch } from "@std/assert";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { command, run } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import type { Message } from "./support/inbox.ts";
import { eventually } from "../support/patience.ts";
import { canMountSilentFileSystem, SilentFileSystem } from "./support/silent_file_system.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket, openWebSocket } from "./support/websocket_client.ts";

/** Requests that have to do with a directory. */
const REQUESTS: Readonly<Record<string, (uri: string, native: string) => [string, Message]>> = {
  "a command's directory": (uri) => ["process/start", command("p", ["true"], { cwd: uri })],
  "a terminal's directory": (
    uri,
  ) => ["process/start", command("p", ["true"], { cwd: uri, tty: true })],
  "a program": (_, native) => ["process/start", command("p", [`${native}/program`])],
  "a program by PATH": (
    _,
    native,
  ) => ["process/start", command("p", ["program"], { env: { PATH: native } })],
  "an enclosed command's directory": (uri) => [
    "process/start",
    command("p", ["true"], { ...enclosedIn("/tmp"), cwd: uri }),
  ],
  "a workspace": (_, native) => [
    "process/start",
    command("p", ["true"], { ...enclosedIn(native), cwd: "file:///" }),
  ],
  "a file": (uri) => ["fs/readFile", { path: `${uri}/file` }],
  "a file in a sandbox": (
    uri,
  ) => ["fs/readFile", { path: `${uri}/file`, sandbox: enclosedIn("/tmp").sandbox }],
  "a file request's workspace": (_, native) => [
    "fs/readFile",
    { path: "file:///etc/hostname", sandbox: enclosedIn(native).sandbox },
  ],
  "a watched path": (uri) => ["fs/watchMissing", { watchId: 1, missing: [`${uri}/file`] }],
};

for (const [what, request] of Object.entries(REQUESTS)) {
  Deno.test({
    name: `a file system that does not answer holds up nobody else: ${what}`,
    ignore: !canMountSilentFileSystem,
    fn: async () => {
      using silent = new SilentFileSystem();
      using workspace = new TemporaryDirectory();
      workspace.write("file", "content", 0o644);
      await using executor = await ListeningExecutor.start(silent.launch());
      await using waiting = await connectWebSocket(executor.url);
      await using other = await connectWebSocket(executor.url);
      for (const client of [waiting, other]) await client.initialize();
      let answered = false;
      const [method, params] = request(pathToFileURL(silent.path).href, silent.path);
      const answer = waiting.request(method, params).then((message) => {
        answered = true;
        return message;
      });
      const { sandbox } = enclosedIn(workspace.path);
      const path = `file://${workspace.path}/file`;
      for (const more of [{}, { sandbox }]) {
        const read = await other.request("fs/readFile", { path, ...more });
        assertObjectMatch(read, { result: { dataBase64: btoa("content") } });
        const { exitCode } = await run(other, command(`p${Object.keys(more)}`, ["true"], more));
        assertEquals(exitCode, 0);
      }
      assertEquals(answered, false);
      silent.release();
      await eventually(() => answered, "an answer");
      await answer;
    },
  });
}

Deno.test({
  name: "a file system that does not answer holds up no file request that came just before",
  ignore: !canMountSilentFileSystem,
  fn: async () => {
    using silent = new SilentFileSystem();
    using workspace = new TemporaryDirectory();
    workspace.write("file", "content", 0o644);
    await using executor = await ListeningExecutor.start(silent.launch());
    await using client = await openWebSocket(executor.url);
    const { sandbox } = enclosedIn("/tmp");
    const read = (directory: string) =>
      client.request("fs/readFile", { path: `file://${directory}/file`, sandbox });
    const before = Array.from({ length: 20 }, () => read(workspace.path));
    const waiting = read(silent.path);
    for (const answer of await Promise.all([...before, read(workspace.path)])) {
      assertObjectMatch(answer, { result: { dataBase64: btoa("content") } });
    }
    silent.release();
    await waiting;
  },
});

Deno.test({
  name: "an executor ends while a file system does not answer",
  ignore: !canMountSilentFileSystem,
  fn: async () => {
    using silent = new SilentFileSystem();
    await using executor = await ListeningExecutor.start(silent.launch());
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    const asked = Object.values(REQUESTS).map((request) =>
      client.request(...request(pathToFileURL(silent.path).href, silent.path))
    );
    // Answered after all of them have come.
    await client.request("fs/getMetadata", { path: "file:///" });
    const unanswered = Promise.allSettled(asked);
    assertEquals((await executor.endBy("SIGTERM")).code, 0);
    await unanswered;
  },
});

Deno.test({
  name: "a file system that does not answer is not asked for what is beside a local file",
  ignore: !canMountSilentFileSystem,
  fn: async () => {
    using silent = new SilentFileSystem();
    const parent = dirname(silent.path);
    Deno.writeTextFileSync(`${parent}/file`, "content");
    Deno.symlinkSync("silent/file", `${parent}/link`);
    await using executor = await ListeningExecutor.start(silent.launch());
    await using waiting = await openWebSocket(executor.url);
    await using other = await openWebSocket(executor.url);
    // The directory is known to be local by then.
    const read = () => other.request("fs/readFile", { path: `file://${parent}/file` });
    for (let time = 0; time < 5; time++) await read();
    const answers = ["silent", "link"].flatMap((name) => {
      const path = `file://${parent}/${name}`;
      return [
        waiting.request("fs/getMetadata", { path }),
        waiting.request("fs/readFile", { path }),
        waiting.request("fs/readDirectory", { path }),
        waiting.request("fs/writeFile", { path, dataBase64: "" }),
      ];
    });
    for (let time = 0; time < 5; time++) {
      assertObjectMatch(await read(), { result: { dataBase64: "Y29udGVudA==" } });
    }
    silent.release();
    assertEquals((await Promise.all(answers)).length, answers.length);
  },
});
