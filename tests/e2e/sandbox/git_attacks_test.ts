import { assertEquals, assertMatch } from "@std/assert";
import { findPrograms } from "../../../src/sandbox/linux/host.ts";
import { path, special } from "../../sandbox/context.ts";
import { canRunBubblewrap, type TestUser, users } from "../../sandbox/linux/sandboxed_run.ts";
import { shell } from "../support/commands.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { shareExecutor } from "../support/shared_executor.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { enclosedIn, launchAs, testSandboxed } from "./support/sandboxed.ts";

const GIT = "/usr/bin/git -c user.name=n -c user.email=e -c protocol.file.allow=always";

/** A way to have a command of one's own run when somebody uses git in the workspace. */
interface Attack {
  readonly what: string;
  /** What the user has done before, in the workspace. */
  readonly before: string;
  /** What a sandboxed command does. `poison CONFIG` makes git run something by a configuration. */
  readonly attack: string;
  /** Whether nothing may be started at all, and what is said then. */
  readonly refused?: RegExp;
}

const REPOSITORY = "git init -q . && git commit -q --allow-empty -m m";
const SEPARATE = `${REPOSITORY} && mv .git meta`;
const SHARED = "mkdir shared && (cd .git && mv config objects refs hooks info ../shared)";

const ATTACKS: readonly Attack[] = [
  {
    what: "a repository",
    before: REPOSITORY,
    attack: "poison .git/config; mv .git x; git init -q .; poison .git/config",
  },
  {
    what: "a .git file",
    before: `${SEPARATE} && echo gitdir: meta > .git`,
    attack: "poison meta/config; mv meta x; cp -r x meta; poison meta/config; rm .git",
  },
  {
    what: "a .git file whose path is that of a link",
    before: `${SEPARATE} && mv meta real && ln -s real gd && echo gitdir: gd > .git`,
    attack: "cp -r real evil; poison evil/config; ln -sfn evil gd",
    refused: /ws\/gd' has to stay as it is, but it is a symbolic link[^;]*put what it leads to/,
  },
  {
    what: "a .git file whose path has a link in the middle",
    before: `${SEPARATE} && mkdir a && mv meta a && ln -s a b && echo gitdir: b/meta > .git`,
    attack: "cp -r a evil; poison evil/meta/config; ln -sfn evil b",
    refused: /ws\/b' has to stay as it is/,
  },
  {
    what: "a .git file whose path goes into a directory and out again",
    before: `${SEPARATE} && mkdir a b && mv meta b/r && echo gitdir: a/../b/r > .git`,
    attack: "rm -rf a; mkdir -p evil/q evil/b; cp -r b/r evil/b/r; " +
      "mv a x; ln -s evil/q a; poison evil/b/r/config",
  },
  {
    what: "a .git file whose path has a line end",
    before: `${SEPARATE} && mv meta "$(printf 'me\\nta')" && printf 'gitdir: me\\nta\\n' > .git`,
    attack: `poison "$(printf 'me\\nta/config')"; mv me* evil; poison evil/config; ` +
      `mv evil "$(printf 'me\\nta')"`,
  },
  {
    what: "a .git file whose path is not UTF-8",
    before: `${SEPARATE} && mv meta "$(printf 'm\\377')" && printf 'gitdir: m\\377\\n' > .git`,
    attack: `poison "$(printf 'm\\377/config')"`,
    refused: /ws\/\.git' speaks of cannot be protected, for its path is not UTF-8/,
  },
  {
    what: "a commondir in an ordinary repository",
    before: `${REPOSITORY} && ${SHARED} && echo ../shared > .git/commondir`,
    attack: "poison shared/config; mv shared x; cp -r x shared; poison shared/config",
  },
  {
    what: "a commondir that ends in a carriage return",
    before: `${REPOSITORY} && ${SHARED} && printf '../shared\\r\\n' > .git/commondir`,
    attack: "poison shared/config; mv shared x; cp -r x shared; poison shared/config",
  },
  {
    what: "a configuration behind a link",
    before: `${REPOSITORY} && mv .git/config dotconfig && ln -s ../dotconfig .git/config`,
    attack: "poison dotconfig; cp dotconfig x; poison x; mv x dotconfig",
  },
  {
    what: "an index behind a link",
    before: `${REPOSITORY} && touch q && git add q && mv .git/index ix && ln -s ../ix .git/index`,
    attack: "git init -q ev; git -C ev commit -q --allow-empty -m m; cp ix ix2; " +
      "GIT_INDEX_FILE=$PWD/ix2 git update-index --add " +
      "--cacheinfo 160000,$(git -C ev rev-parse HEAD),ev; cp ix2 ix; mv ix2 ix; poison ev/.git/config",
  },
  {
    what: "a HEAD behind a link",
    before: `${REPOSITORY} && mv .git/HEAD hd && ln -s ../hd .git/HEAD`,
    attack:
      "git init -q --bare x; git -C x config core.bare false; git -C x config core.worktree ..; " +
      "poison x/config; cp -r x/* .; mkdir -p objects refs; echo > hd",
  },
  ...[
    ["no refs", "rm -r .git/refs"],
    ["no objects", "rm -r .git/objects"],
    ["refs that are a file", "rm -r .git/refs && touch .git/refs"],
    ["an empty HEAD", ": > .git/HEAD"],
    ["a HEAD that is a directory", "rm .git/HEAD && mkdir .git/HEAD"],
  ].map(([what, damage]) => ({
    what: `a .git that is damaged: ${what}`,
    before: `${REPOSITORY} && ${damage}`,
    attack: "mkdir -p objects refs/heads; echo ref: refs/heads/m > HEAD; " +
      "git config -f config core.repositoryFormatVersion 0; git config -f config core.bare false; " +
      "git config -f config core.worktree $PWD; poison config",
  })),
  {
    what: "a submodule",
    before:
      `git init -q ../lib && git -C ../lib commit -q --allow-empty -m m && ${REPOSITORY} && ` +
      "git submodule --quiet add ../lib sub && git commit -qm sub",
    attack: "rm sub/.git; git init -q sub; poison sub/.git/config; mv sub x; cp -r x sub; " +
      "rm -rf sub/.git; git init -q sub; poison sub/.git/config",
  },
  {
    what: "a submodule that has not been fetched",
    before: `${REPOSITORY} && mkdir dep && ` +
      "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),dep && git commit -qm dep",
    attack: "git init -q dep; git init -q y; poison y/.git/config; cp -r y/.git dep/.git; " +
      "rm -rf dep; mv y dep",
  },
  {
    what: "a submodule of an index that adds to another",
    before: `${REPOSITORY} && mkdir dep && ` +
      "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),dep && git commit -qm dep && " +
      "git update-index --split-index",
    attack: "git init -q dep; poison dep/.git/config",
  },
  {
    what: "a directory that is no repository",
    before: ":",
    attack:
      "git init -q --bare x; git -C x config core.bare false; git -C x config core.worktree ..; " +
      "poison x/config; cp -r x/* .; mkdir -p objects refs; echo ref: refs/heads/main > HEAD",
  },
  {
    what: "a directory that is a bare repository",
    before: "git init -q --bare . && git config core.bare false && git config core.worktree .",
    attack: "poison config; cp config x; poison x; mv x config; mkdir hooks; " +
      "echo 'echo > ../ran' > hooks/post-index-change; chmod +x hooks/post-index-change",
  },
];

for (const user of users) testGitAttacks(user);

function testGitAttacks(user: TestUser): void {
  const name = `sandbox: no command changes what git runs later, as ${user.name}`;
  const canRun = canRunBubblewrap && findPrograms("git", "/usr/bin").length > 0;
  if (!canRun) return Deno.test.ignore(name, () => {});
  // Landlock's supervisor holds links in place; bubblewrap refuses what it cannot hold.
  const cases = ATTACKS.flatMap(({ refused, ...attack }) =>
    refused === undefined ? [{ ...attack, refused, mechanism: "auto" }] : [
      { ...attack, refused, mechanism: "bubblewrap" },
      { ...attack, refused: undefined, mechanism: "landlock" },
    ]
  ).map((attack) => ({
    ...attack,
    executor: shareExecutor({
      ...launchAs(user),
      env: { PATH: "/usr/bin:/bin", HOME: "/", REMEX_SANDBOX_MECHANISM: attack.mechanism },
    }),
  }));
  Deno.test(name, async (t) => {
    for (const { what, before, attack, refused, mechanism, executor } of cases) {
      await t.step(`${what}, ${mechanism}`, async () => {
        using directory = new TemporaryDirectory();
        const [workspace, ran] = [`${directory.path}/ws`, `${directory.path}/ran`];
        Deno.mkdirSync(workspace);
        if (user.id !== undefined) {
          for (const path of [directory.path, workspace]) Deno.chownSync(path, user.id, user.id);
        }
        const person = personIn(workspace, user.id);
        await person(before);
        const poison = `git() { ${GIT} "$@"; }; ` +
          `poison() { git config -f "$1" core.fsmonitor "echo > ${ran}; false"; }; `;
        const params = shell("attack", `{ ${poison}${attack}; } 2>&1`, {
          ...writing(workspace),
          env: { PATH: "/usr/bin:/bin", HOME: directory.path },
        });
        await executor.withClient(async (client) => {
          const { error } = await client.request("process/start", params);
          if (error === undefined) await client.events("attack");
          if (refused === undefined && mechanism === "auto") assertEquals(error, undefined);
          if (refused !== undefined) {
            assertMatch(isRecord(error) ? String(error.message) : "", refused);
          }
        });
        assertEquals(exists(ran), false);
        await person("git status; git submodule status; git log -1; git diff; :", ":");
        assertEquals(exists(ran), false, "git has run what a sandboxed command left");
      });
    }
  });
}

testSandboxed("what a worktree shares is denied by its name", async (scene) => {
  const { client, workspace } = scene;
  const owner = Deno.statSync(workspace).uid ?? undefined;
  const [main, tree] = [`${workspace}/main`, `${workspace}/tree`];
  await personIn(workspace, owner)(
    "git init -q main && git -C main commit -q --allow-empty -m m && " +
      "git -C main worktree add -q ../tree",
  );
  const roots = [special("root", "read"), path(workspace, "write"), path(tree, "write")];
  const { sandbox } = writing(workspace);
  const permissions = {
    type: "managed",
    network: "restricted",
    file_system: { type: "restricted", entries: roots },
  };
  const more = {
    cwd: `file://${tree}`,
    sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions },
    env: { PATH: "/usr/bin:/bin", HOME: scene.outside },
  };
  const commit = `git -c user.name=n -c user.email=e commit -qm x --allow-empty`;
  const { exitCode, stderr } = await scene.script(`git status && echo x > f && ${commit}`, more);
  assertEquals(exitCode === 0, false);
  assertMatch(stderr, /main\/\.git\/worktrees\/tree\/.*Read-only file system/);
  for (const name of ["hooks/pre-commit", "config", "worktrees/tree/HEAD", "refs/heads/x"]) {
    const params = { path: `file://${main}/.git/${name}`, dataBase64: "", sandbox: more.sandbox };
    const { error } = await client.request("fs/writeFile", params);
    const message = isRecord(error) ? String(error.message) : "";
    assertMatch(
      message,
      /main\/\.git(\/worktrees\/tree)?' decides what runs .* is protected: Read-only/,
    );
  }
});

/** The workspace, and nothing beside it. */
function writing(workspace: string): Message {
  const { cwd, sandbox } = enclosedIn(workspace);
  const entries = [special("root", "read"), path(workspace, "write")];
  const permissions = {
    type: "managed",
    network: "restricted",
    file_system: { type: "restricted", entries },
  };
  return { cwd, sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions } };
}

/** Runs scripts as somebody who uses git without a sandbox. */
function personIn(workspace: string, user: number | undefined) {
  return async (script: string, otherwise = "exit 1") => {
    const { success, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", `git() { ${GIT} "$@"; }; { ${script}; } || ${otherwise}`],
      cwd: workspace,
      env: { HOME: workspace.replace(/\/ws$/, "") },
      ...user === undefined ? {} : { uid: user, gid: user },
    }).output();
    if (!success) throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
  };
}
