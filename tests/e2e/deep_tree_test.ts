import { assert, assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { contextMessage, glob, special } from "../sandbox/context.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { command, run, stdoutOf } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { exists } from "./support/files.ts";
import { isRecord } from "./support/inbox.ts";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { openWebSocket } from "./support/websocket_client.ts";

const ignore = Deno.build.os !== "linux";
/** Deeper than any path reaches. On its way there is a file, and a link out. */
const MAKE_TREE = `
import os, sys
os.makedirs(sys.argv[1]); os.chdir(sys.argv[1])
for level in range(int(sys.argv[3])):
    os.mkdir("d"); os.chdir("d")
    if level % 500 == 0:
        open("file", "w").close(); os.symlink(sys.argv[2], "link")
`;

/** A workspace with a deep tree in it that a command has made, and a file beside the workspace. */
class DeepTree implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly workspace = `${this.#directory.path}/ws`;
  readonly tree = `${this.workspace}/tree`;
  readonly kept = this.#directory.write("outside/kept", "kept");

  constructor() {
    Deno.mkdirSync(this.workspace);
  }

  /** The command that makes it. */
  argv(depth: number): string[] {
    const outside = `${this.#directory.path}/outside`;
    return ["/usr/bin/python3", "-c", MAKE_TREE, this.tree, outside, String(depth)];
  }

  [Symbol.dispose](): void {
    // The runtime's way ends in an overflow of the stack.
    new Deno.Command("rm", { args: ["-rf", this.tree] }).outputSync();
    this.#directory[Symbol.dispose]();
  }
}

Deno.test({
  name:
    "a tree nested thousands deep is removed, with a sandbox and without, and the executor goes on",
  ignore,
  fn: async () => {
    using deep = new DeepTree();
    await using executor = await ListeningExecutor.start();
    await using client = await openWebSocket(executor.url);
    const { sandbox } = enclosedIn(deep.workspace);
    for (const [depth, more] of [[6000, {}], [3000, { sandbox }]] as const) {
      assertEquals((await run(client, command(`make ${depth}`, deep.argv(depth)))).exitCode, 0);
      const params = { path: `file://${deep.tree}`, recursive: true, force: false, ...more };
      assertObjectMatch(await client.request("fs/remove", params), { result: {} });
      assert(!exists(deep.tree));
      assertEquals(Deno.readTextFileSync(deep.kept), "kept");
    }
    assertEquals(await stdoutOf(client, command("after", ["/bin/echo", "here"])), "here\n");
  },
});

Deno.test({
  name: "a tree nested 1,000 deep is refused where each directory of it would have to be looked at",
  ignore,
  fn: async () => {
    using deep = new DeepTree();
    await using executor = await ListeningExecutor.start();
    await using client = await openWebSocket(executor.url);
    assertEquals((await run(client, command("make", deep.argv(1000)))).exitCode, 0);
    const entries = [special("root", "write"), glob(`${deep.workspace}/**/*.key`)];
    const sandbox = contextMessage({ entries, cwd: deep.workspace });
    const tree = `file://${deep.tree}`;
    const copy = {
      sourcePath: tree,
      destinationPath: `file://${deep.workspace}/copy`,
      recursive: true,
    };
    const requests = [
      ["fs/copy", copy],
      ["fs/copy", { ...copy, sandbox }],
      ["fs/remove", { path: tree, recursive: true, sandbox }],
      ["process/start", command("enclosed", ["/bin/true"], { sandbox })],
    ] as const;
    for (const [method, params] of requests) {
      const { error } = await client.request(method, params);
      assert(isRecord(error), method);
      assertEquals(error.code, -32603, method);
      assertStringIncludes(String(error.message), "nested more than 256", method);
    }
    assert(exists(deep.tree));
    assertEquals(await stdoutOf(client, command("after", ["/bin/echo", "here"])), "here\n");
  },
});
