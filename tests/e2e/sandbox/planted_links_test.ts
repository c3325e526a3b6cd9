import { assertEquals, assertMatch } from "@std/assert";
import { path, special, type WireEntry, workspaceWrite } from "../../sandbox/context.ts";
import { base64 } from "../support/base64.ts";
import { command } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";

/** What a sandbox grants besides a writable workspace, under a name that its first command may change. */
interface Plant {
  readonly what: string;
  /** What there is at first, as a shell script in the workspace. */
  readonly before?: string;
  readonly entries: (scene: MachineScene) => readonly WireEntry[];
  /** What the first command does; `$OUT` is the directory beside the workspace. */
  readonly script: string;
  /** A file that the second command writes, and then a request does; relative to the workspace. */
  readonly target: string;
  /** Whether the first command's sandbox does not speak of the name, or would keep it in place. */
  readonly elsewhere?: boolean;
  readonly env?: (scene: MachineScene) => Readonly<Record<string, string>>;
}

const PLANTS: readonly Plant[] = [
  {
    what: "a missing directory",
    entries: () => [special("project_roots", "write", "cache")],
    script: "ln -s $OUT cache",
    target: "cache/new",
  },
  {
    what: "a missing directory, by a relative link",
    entries: () => [special("project_roots", "write", "cache")],
    script: "ln -s ../outside cache",
    target: "cache/secret",
  },
  {
    what: "a missing directory that a path names",
    entries: ({ workspace }) => [path(`${workspace}/cache`, "write")],
    script: "ln -s $OUT cache",
    target: "cache/new",
  },
  {
    what: "a directory above a missing one",
    entries: () => [special("project_roots", "write", "a/dir")],
    script: "ln -s $OUT a",
    target: "a/dir/new",
  },
  {
    what: "a directory that is there",
    before: "mkdir dir",
    entries: () => [special("project_roots", "write", "dir")],
    script: "mv dir moved && ln -s $OUT dir",
    elsewhere: true,
    target: "dir/new",
  },
  {
    what: "a directory above one that is there",
    before: "mkdir -p a/dir",
    entries: () => [special("project_roots", "write", "a/dir")],
    script: "mv a moved && ln -s $OUT a",
    elsewhere: true,
    target: "a/dir/new",
  },
  {
    what: "a file that is there",
    entries: () => [special("project_roots", "write", "file")],
    script: "ln -sf $OUT/secret file",
    target: "file",
  },
  {
    what: "a missing file outside",
    entries: () => [special("project_roots", "write", "file")],
    script: "ln -sf $OUT/new file",
    target: "file",
  },
  {
    what: "a chain of links",
    entries: () => [special("project_roots", "write", "cache")],
    script: "ln -s b cache && ln -s c/../c b && ln -s $OUT c",
    target: "cache/new",
  },
  {
    what: "a repository that may be written",
    before: "mkdir .git",
    entries: () => [special("project_roots", "write", ".git")],
    script: "mv .git moved && ln -s $OUT .git",
    target: ".git/new",
  },
  {
    what: "a configuration that is missing and may be written",
    entries: () => [special("project_roots", "write", ".codex")],
    script: "ln -s $OUT .codex",
    target: ".codex/new",
  },
  {
    what: "a missing directory for temporary files",
    entries: () => [special("tmpdir", "write")],
    env: ({ workspace }) => ({ TMPDIR: `${workspace}/tmp` }),
    script: "ln -s $OUT tmp",
    target: "tmp/new",
  },
];

/** A sandbox that writes the workspace, with these entries besides. */
function sandboxOf(
  { workspace, enclosed, mechanism }: MachineScene,
  entries: readonly WireEntry[],
): Message {
  // Landlock cannot except names from what may be written: there they may be too.
  const names = mechanism === "bubblewrap" ? [] : [".git", ".agents", ".codex"];
  const written = names.map((name) => special("project_roots", "write", name));
  const root = `file://${workspace}`;
  return {
    ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {},
    cwd: root,
    workspaceRoots: [root],
    permissions: {
      type: "managed",
      network: "restricted",
      file_system: { type: "restricted", entries: [...workspaceWrite, ...written, ...entries] },
    },
  };
}

/** Everything beside the workspace, with its content. */
function stateOf({ outside }: MachineScene): string[] {
  const names = (directory: string): string[] =>
    Array.from(Deno.readDirSync(directory)).flatMap(({ name, isDirectory }) =>
      isDirectory ? [name, ...names(`${directory}/${name}`)] : [name]
    );
  return [...names(outside).sort(), Deno.readTextFileSync(`${outside}/secret`)];
}

async function asUser({ user, workspace, outside }: MachineScene, script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("/bin/sh", {
    args: ["-ec", script],
    cwd: workspace,
    env: { OUT: outside },
    ...user.id === undefined ? {} : { uid: user.id, gid: user.id },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** The same scene with a workspace of its own. */
async function sceneFor(scene: MachineScene, name: string): Promise<MachineScene> {
  const workspace = `${scene.workspace}/../${name}`;
  await asUser(scene, `mkdir ${workspace} && echo file > ${workspace}/file`);
  return { ...scene, workspace: Deno.realPathSync(workspace) };
}

testOnMachines("a link planted where something is granted leads nowhere", async (scene) => {
  await asUser(scene, "mkdir $OUT/dir");
  const state = stateOf(scene);
  for (const [index, plant] of PLANTS.entries()) {
    const { what, before = ":", entries, script, target, env } = plant;
    const own = await sceneFor(scene, `workspace${index}`);
    const cwd = `file://${own.workspace}`;
    await asUser(own, before);
    const sandbox = sandboxOf(own, entries(own));
    const variables = { PATH: "/usr/bin:/bin", OUT: own.outside, ...env?.(own) };
    const first = plant.elsewhere ? sandboxOf(own, []) : sandbox;
    const planting = { cwd, sandbox: first, env: variables };
    const planted = await own.run(["/bin/sh", "-c", script], planting);
    assertEquals([planted.exitCode, planted.stderr], [0, ""], what);

    const write = ["/bin/sh", "-c", 'echo out > "$1"', "sh", target];
    const params = command(what, write, { cwd, sandbox, env: variables });
    const { error } = await own.client.request("process/start", params);
    if (error === undefined) await own.client.events(what);
    assertEquals(stateOf(own), state, `a command has written outside: ${what}`);
    assertMatch(isRecord(error) ? String(error.message) : "", /leads through the link '/, what);

    const request = { path: `${cwd}/${target}`, dataBase64: base64("out"), sandbox };
    await own.client.request("fs/writeFile", request);
    assertEquals(stateOf(own), state, `a request has written outside: ${what}`);
  }
});

testOnMachines(
  "a link planted at a grant does not make readable what it leads to",
  async (scene) => {
    const { client, workspace, outside, run } = scene;
    const { sandbox: given } = scene.enclosed;
    const names = [".git", ".agents", ".codex"];
    const entries = [
      special("minimal", "read"),
      special("project_roots", "write"),
      special("project_roots", "read", "doc"),
      ...names.map((name) => special("project_roots", "write", name)),
    ];
    const permissions = {
      type: "managed",
      file_system: { type: "restricted", entries },
      network: "restricted",
    };
    const sandbox = { ...isRecord(given) ? given : {}, permissions };
    // It is not kept in place where Landlock has to do: it is missing.
    const planting = {
      ...sandbox,
      permissions: {
        ...permissions,
        file_system: {
          type: "restricted",
          entries: entries.filter((_, index) => index !== 2),
        },
      },
    };
    const planted = await run(["/bin/ln", "-s", outside, "doc"], { sandbox: planting });
    assertEquals([planted.exitCode, planted.stderr], [0, ""]);
    const params = command("second", ["/bin/cat", "doc/secret"], {
      cwd: `file://${workspace}`,
      sandbox,
    });
    const answer = await client.request("process/start", params);
    assertMatch(JSON.stringify(answer), /leads through the link/);
    const request = { path: `file://${workspace}/doc/secret`, sandbox };
    const read = await client.request("fs/readFile", request);
    assertEquals(read.result, undefined);
  },
);

testOnMachines("a link that leads to what is granted anyway is as good as any", async (scene) => {
  await asUser(scene, "mkdir real && ln -s real cache && ln -s $OUT/secret doc");
  const sandbox = sandboxOf(scene, [
    ...["", "/.git", "/.agents", "/.codex"]
      .map((name) => special("project_roots", "write", `cache${name}`)),
  ]);
  const { stdout, stderr } = await scene.run(
    ["/bin/sh", "-c", ": > cache/new && cat doc"],
    { sandbox },
  );
  assertEquals([stdout, stderr], ["secret\n", ""]);
});

testOnMachines("a link where no sandbox lets write is followed", async (scene) => {
  await asUser(scene, "ln -s $OUT ../link");
  const entries = ["", "/.git", "/.agents", "/.codex"]
    .map((name) => path(scene.workspace.replace(/ws$/, `link${name}`), "write"));
  const sandbox = sandboxOf(scene, entries);
  const { exitCode, stderr } = await scene.run(["/bin/sh", "-c", `: > ${scene.outside}/new`], {
    sandbox,
  });
  assertEquals([exitCode, stderr], [0, ""]);
});
