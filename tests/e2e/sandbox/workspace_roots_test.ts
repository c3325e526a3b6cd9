import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { special, workspaceWrite } from "../../sandbox/context.ts";
import { canRunLandlock } from "../../sandbox/linux/landlocked_run.ts";
import { base64 } from "../support/base64.ts";
import { run, shell } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { launchAs, testSandboxed } from "./support/sandboxed.ts";

function sandboxOf(roots: readonly string[], entries: readonly unknown[]): Message {
  const workspaceRoots = roots.map((root) => `file://${root}`);
  const permissions = {
    type: "managed",
    network: "restricted",
    file_system: { type: "restricted", entries },
  };
  return { permissions, workspaceRoots, windowsSandboxLevel: "disabled" };
}

testSandboxed("a workspace root that is gone grants nothing and stops nothing", async (scene) => {
  const { client, workspace, outside, script } = scene;
  const gone = `${outside}/gone`;
  const both = sandboxOf([gone, workspace], workspaceWrite);
  const attempt =
    `echo x > f && ! mkdir ${gone} 2>/dev/null && ! echo x 2>/dev/null > ${outside}/x`;
  const { exitCode, stderr } = await script(attempt, { sandbox: both });
  assertEquals([exitCode, stderr], [0, ""]);
  for (const method of ["fs/writeFile", "fs/createDirectory"]) {
    const params = { path: `file://${gone}`, sandbox: both, dataBase64: base64("x") };
    assertEquals((await client.request(method, params)).result, undefined);
  }
  const reading = sandboxOf([gone], [special("root", "read")]);
  assertEquals((await script("cat f", { sandbox: reading })).stdout, "x\n");
  assertEquals(Array.from(Deno.readDirSync(outside), ({ name }) => name), ["secret"]);
});

testSandboxed("a start that is left without any workspace root says so", async (scene) => {
  const { client, outside, enclosed } = scene;
  const [one, two] = [`${outside}/one`, `${outside}/two`];
  for (const roots of [[one], [one, two]]) {
    const sandbox = sandboxOf(roots, workspaceWrite);
    const start = shell("gone", "true", { ...enclosed, sandbox });
    const read = { path: `file://${outside}/secret`, sandbox };
    for (
      const answer of [
        await client.request("process/start", start),
        await client.request("fs/readFile", read),
      ]
    ) {
      assertObjectMatch(answer, { error: { code: -32602 } });
      for (const root of roots) assertMatch(JSON.stringify(answer), new RegExp(`'${root}'`));
      assertMatch(JSON.stringify(answer), /exist/);
    }
  }
});

testSandboxed(
  "a protected name that is a link stays one, or is refused by its name, with a way out",
  async (scene) => {
    const { workspace, enclosed, script, user } = scene;
    Deno.mkdirSync(`${workspace}/some/.agents`, { recursive: true });
    Deno.symlinkSync("some/.agents", `${workspace}/.agents`);
    if (canRunLandlock) {
      const attack = "! rm .agents && ! mv .agents x && ! touch .agents/x && ! mv some x && " +
        "! ln -sfn x .agents && touch free";
      assertEquals((await script(`(${attack}) 2>/dev/null`)).exitCode, 0);
    }
    // By mounts alone it cannot be held.
    await using client = connectStdio({
      ...launchAs(user),
      env: { PATH: "/usr/bin:/bin", HOME: workspace, REMEX_SANDBOX_MECHANISM: "bubblewrap" },
    });
    await client.initialize();
    const answer = await client.request("process/start", shell("p", "true", enclosed));
    assertObjectMatch(answer, { error: { code: -32603 } });
    const message = isRecord(answer.error) ? String(answer.error.message) : "";
    assertMatch(message, /ws\/\.agents' has to stay as it is, but it is a symbolic link/);
    assertMatch(message, /put what it leads to in its place; nothing was started$/);
    // The way out.
    Deno.removeSync(`${workspace}/.agents`);
    Deno.renameSync(`${workspace}/some/.agents`, `${workspace}/.agents`);
    const again = await run(client, shell("again", "! touch .agents/x 2>/dev/null", enclosed));
    assertEquals(again.exitCode, 0);
  },
);
