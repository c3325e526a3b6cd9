import { assert, assertEquals, assertMatch } from "@std/assert";
import { findPrograms } from "../../../src/sandbox/linux/host.ts";
import { canRunLandlock, type TestMechanism } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, type TestUser, users } from "../../sandbox/linux/sandboxed_run.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { type Outcome, run, shell } from "../support/commands.ts";
import { REMEX_BIN } from "../support/executor.ts";
import type { Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { DAILY_TOOLS, type DailyTool, toolsTable } from "./support/daily_tools.ts";
import { TOOLS_PATH } from "./support/machines.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

const IDENTITY = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "n",
  GIT_AUTHOR_EMAIL: "a@b",
  GIT_COMMITTER_NAME: "n",
  GIT_COMMITTER_EMAIL: "a@b",
};

/** What the executor sees as its /tmp, for the host's may be what tools take for a repository. */
const SEEN = "/tmp";

/** Runs a tool in a place of its own, and tells what came of it without telling the place. */
class ToolRuns {
  readonly #client: RawClient;
  /** What is seen as {@linkcode SEEN}. */
  readonly #directory: string;
  readonly #user: TestUser;
  #count = 0;

  constructor(client: RawClient, directory: string, user: TestUser) {
    this.#client = client;
    this.#directory = directory;
    this.#user = user;
  }

  async run({ script }: DailyTool, sandboxed: boolean) {
    const id = `${++this.#count}`;
    const place = `ws/${id}`;
    for (const name of [place, `${place}/work`, `${place}/tmp`]) {
      const path = `${this.#directory}/${name}`;
      Deno.mkdirSync(path);
      if (this.#user.id !== undefined) Deno.chownSync(path, this.#user.id, this.#user.id);
    }
    const seen = `${SEEN}/${place}`;
    const { cwd, sandbox } = enclosedIn(`${SEEN}/ws`);
    const env = { ...IDENTITY, PATH: TOOLS_PATH, HOME: seen, TMPDIR: `${seen}/tmp` };
    const more: Message = { cwd: `${cwd}/${id}/work`, env, ...sandboxed && { sandbox } };
    return told(await run(this.#client, shell(id, script, more)), seen);
  }
}

function told({ exitCode, stdout, stderr }: Outcome, place: string) {
  return { exitCode, stdout, stderr: stderr.replaceAll(place, "PLACE") };
}

function testTools(mechanism: TestMechanism, user: TestUser): void {
  Deno.test({
    name: `sandbox: daily tools do not notice it, ${mechanism}, as ${user.name}`,
    ignore: !canRunBubblewrap || mechanism === "landlock" && !canRunLandlock,
    fn: async (t) => {
      using directory = new TemporaryDirectory();
      const workspace = `${directory.path}/ws`;
      Deno.mkdirSync(workspace);
      for (const path of [directory.path, workspace]) {
        if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
      }
      const env = { PATH: TOOLS_PATH, HOME: "/", REMEX_SANDBOX_MECHANISM: mechanism };
      const { launcher = [] } = launchAs(user);
      // A checkout may be below /tmp itself.
      const program = ["--ro-bind", REMEX_BIN, REMEX_BIN];
      const own = [
        "bwrap",
        "--dev-bind",
        "/",
        "/",
        "--bind",
        directory.path,
        SEEN,
        ...program,
        "--",
      ];
      await using client = connectStdio({ launcher: [...own, ...launcher], env });
      await client.initialize();
      const runs = new ToolRuns(client, directory.path, user);
      for (const tool of DAILY_TOOLS) {
        const { needs, differs } = tool;
        const missing = needs.filter((program) => findPrograms(program, TOOLS_PATH).length === 0);
        const reason = missing.length > 0 ? ` (not installed: ${missing.join(", ")})` : "";
        await t.step({
          name: `${tool.name}${reason}`,
          ignore: missing.length > 0,
          fn: async () => {
            const [outside, inside] = await Promise.all([
              runs.run(tool, false),
              runs.run(tool, true),
            ]);
            assertEquals(outside.exitCode, 0, outside.stderr);
            if (differs?.[mechanism] === undefined) return assertEquals(inside, outside);
            assert(inside.exitCode !== 0);
            assertMatch(inside.stderr, differs.stderr);
          },
        });
      }
    },
  });
}

for (const mechanism of ["bubblewrap", "landlock"] as const) {
  for (const user of users.slice(-1)) testTools(mechanism, user);
}

Deno.test("the documentation has the table of the tools that are tested", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/sandbox.md", import.meta.url));
  const plain = (table: string) => table.replaceAll(/ +/g, " ").replaceAll(/-+/g, "-");
  assert(plain(page).includes(plain(toolsTable())), toolsTable());
});
