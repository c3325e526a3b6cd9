import { assertEquals, assertMatch } from "@std/assert";
import { workspaceWrite } from "../../sandbox/context.ts";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { EPERM, withoutCalls } from "../../support/without_calls.ts";
import { outcomeOf, shell, start } from "../support/commands.ts";
import { runToEnd } from "../support/executor.ts";
import { exists, namesIn } from "../support/files.ts";
import { isRecord } from "../support/inbox.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { testOnMachines, TOOLS_PATH } from "./support/machines.ts";
import { enclosedIn } from "./support/sandboxed.ts";

const WAYS_TO_MAKE = [
  "mkdir $n",
  "sh -c 'echo x > $n'",
  "ln -s /etc $n",
  "ln file $n",
  "mkfifo $n",
  "mv -T other $n",
  "cp file $n",
];

testOnMachines("a protected name that is missing stays missing, for everyone", async (scene) => {
  const { workspace } = scene;
  const script = "ls -A; touch ready; until [ -e go ]; do sleep 0.01; done; mkdir other; " +
    "for n in .git .agents .codex; do export n; " +
    WAYS_TO_MAKE.map((way) => `${way} && echo "made: ${way}";`).join(" ") + " done; " +
    "rmdir other; ls -A";
  const running = scene.run(["/bin/sh", "-c", script], { env: { PATH: TOOLS_PATH } });
  await eventually(() => exists(`${workspace}/ready`), "the command to be ready");
  assertEquals(namesIn(workspace), ["file", "ready"]);
  Deno.writeTextFileSync(`${workspace}/go`, "");
  const { stdout } = await running;
  assertEquals(stdout, "file\nfile\ngo\nready\n");
  assertEquals(namesIn(workspace), ["file", "go", "ready"]);
});

testOnMachines("what is mounted in a sandbox cannot be moved away", async (scene) => {
  const { workspace, user } = scene;
  Deno.mkdirSync(`${workspace}/.git`);
  if (user.id !== undefined) Deno.chownSync(`${workspace}/.git`, user.id, user.id);
  const script = "mkdir new; mv .git away && echo moved; mv -T new .git && echo replaced; " +
    "mv $PWD $PWD-away && echo moved the workspace; ls -A";
  const { stdout } = await scene.run(["/bin/sh", "-c", script]);
  assertEquals(stdout, ".git\nfile\nnew\n");
});

testOnMachines("a socket does not keep a protected name", async (scene) => {
  const { workspace, mechanism, enclosed } = scene;
  const permissions = {
    type: "managed",
    file_system: { type: "restricted", entries: workspaceWrite },
    network: "enabled",
  };
  const sandbox = { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions };
  const bind = "socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
  const script = `for n in own .git; do python3 -c 'import socket, sys; ${bind}' $n; done; ls -A`;
  const env = { PATH: TOOLS_PATH };
  const { stdout } = await scene.run(["/bin/sh", "-c", script], { sandbox, env });
  const kept = mechanism === "bubblewrap" ? ["file", "own"] : ["file"];
  assertEquals(stdout.split("\n").includes("own"), kept.includes("own"));
  await eventually(() => namesIn(workspace).join() === kept.join(), "the socket to lose its name");
}, { needs: ["python3"] });

/** process_vm_readv(2), without which nobody can read the arguments of calls. */
const READ_MEMORY = { x86_64: 310, aarch64: 270 }[Deno.build.arch];

Deno.test({
  name: "sandbox: where calls cannot be handed over, empty directories stand for missing names",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    Deno.mkdirSync(`${directory.path}/ws`);
    const launcher = withoutCalls([READ_MEMORY], EPERM);
    const workspace = `${directory.path}/ws`;
    await using client = connectStdio({ launcher });
    await client.initialize();
    const attempt = "touch ready; until [ -e go ]; do sleep 0.01; done; rm ready go; " +
      "for n in .git .codex; do mkdir $n || rmdir $n || touch $n/x || mv $n y; done 2>/dev/null";
    await start(client, shell("p", `${attempt} && echo made`, enclosedIn(workspace)));
    await eventually(() => exists(`${workspace}/ready`), "the command to be ready");
    assertEquals(namesIn(workspace), [".agents", ".codex", ".git", "HEAD", "ready"]);
    Deno.writeTextFileSync(`${workspace}/go`, "");
    assertEquals(outcomeOf(await client.events("p")).stdout, "");
    assertEquals(namesIn(workspace), []);
    const { stdout } = await runToEnd(["doctor"], "", { launcher });
    assertMatch(stdout, /empty directories stand where protected names are missing/);
  },
});
