import { existsSync } from "node:fs";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { path, special, workspaceWrite } from "../context.ts";
import { type Scene, testScene } from "./scene.ts";
import { eventually } from "../../support/patience.ts";

const REPOSITORY =
  "mkdir -p ws/.git/hooks && echo ref > ws/.git/HEAD && mkdir ws/src && touch ws/src/a";

/** Everything in the scene that is not a plain workspace file, with its content. */
function state(scene: Scene): Promise<string> {
  return scene.host(
    "find . -mindepth 1 ! -path './ws/free*' -printf '%p %y %m %l\\n' | sort; " +
      "find . -path '*.git*' -type f | sort | xargs -r cat",
  );
}

/** Tests that every one of these commands fails, and that together they change nothing. */
function testRefused(
  name: string,
  setUp: string,
  commands: readonly string[],
  entries: (scene: Scene) => readonly ReturnType<typeof special>[] = () => workspaceWrite,
): void {
  testScene(name, setUp, async (scene) => {
    const before = await state(scene);
    const script = commands.map((command, at) => `(${command}) 2>/dev/null && echo "${at} worked"`);
    const { stdout } = await scene.script(script.join("\n"), { entries: entries(scene) });
    assertEquals(stdout, "");
    assertEquals(await state(scene), before);
  });
}

testRefused("a repository cannot be changed", REPOSITORY, [
  "echo x > .git/HEAD",
  "echo x >> .git/HEAD",
  "touch .git/hooks/pre-commit",
  "rm .git/HEAD",
  "rm -rf .git",
  "mv .git moved",
  "mv src .git/src",
  "mkdir free && mv -T free .git",
  "rmdir .git/hooks",
  "chmod 777 .git",
  "ln .git/HEAD free1",
  "ln src/a .git/a",
  "ln -s .git free2 && touch free2/x",
  "ln -sfn src .git && test -L .git",
  "cd .git && touch ../.git/x",
  "touch /proc/self/cwd/.git/x",
]);

testRefused("protected names that are missing cannot be made", "touch ws/file", [
  "mkdir .git",
  "mkdir .agents",
  "mkdir -p .codex/x",
  "touch .codex",
  "ln -s /tmp .git",
  "ln file .agents",
  "mv -T file .codex",
  "mkdir free && mv -T free .git",
  "rmdir .git",
  "mv .git free3",
  "touch .git/x",
  "mknod .codex p",
  "cp -r . free4 && mv -T free4/.git .git",
]);

testRefused(
  "what a .git file points to cannot be changed",
  `mkdir -p ws/main/.git/worktrees/w ws/tree && echo 'gitdir: ../main/.git/worktrees/w' > ws/tree/.git &&
   echo ../.. > ws/main/.git/worktrees/w/commondir && echo ref > ws/main/.git/HEAD`,
  [
    "echo x > .git",
    "rm .git",
    "mv .git free",
    "touch ../main/.git/worktrees/w/index",
    "echo x > ../main/.git/HEAD",
    "touch ../main/.git/config",
    "mv ../main ../free-main",
    "mv ../main/.git ../free-git",
    "mv ../../ws ../../free-ws",
    "mkdir .agents",
  ],
  (
    { workspace },
  ) => [special("root", "read"), path(workspace, "write"), path(`${workspace}/tree`, "write")],
);

testRefused(
  "directories above what is protected cannot be moved out of the way",
  "mkdir -p ws/a/b/c && echo keep > ws/a/b/c/keep && mkdir -p ws/r/s && touch ws/r/s/x",
  [
    "mv a free1",
    "mv a/b free2",
    "mv a/b/c free3",
    "mv a/b/c/keep free4",
    "rm -rf a",
    "mkdir free && mv -T free a",
    "echo x > a/b/c/keep",
    "mv r free5",
    "ls r/s",
  ],
  ({ workspace }) => [
    ...workspaceWrite,
    path(`${workspace}/a/b/c/keep`, "read"),
    path(`${workspace}/r/s`, "deny"),
  ],
);

testRefused(
  "a workspace in a writable directory cannot be moved out of the way",
  "mkdir -p ws/x/project/.git",
  ["mv x free1", "mv x/project free2", "touch x/project/.git/y", "mkdir x/project/.codex"],
  (
    { workspace },
  ) => [special("root", "read"), path(workspace, "write"), path(`${workspace}/x/project`, "write")],
);

testScene("what an entry grants by name can be written", REPOSITORY, async (scene) => {
  const { exitCode, stderr } = await scene.script(
    "echo x > .git/HEAD && mkdir .codex && touch .codex/y",
    {
      entries: [
        ...workspaceWrite,
        ...[".git", ".codex"].map((name) => special("project_roots", "write", name)),
      ],
    },
  );
  assertEquals([exitCode, stderr], [0, ""]);
  assertEquals(await scene.host("ls -A ws ws/.codex"), "ws:\n.codex\n.git\nsrc\n\nws/.codex:\ny\n");
});

testScene("nothing is left behind, however a command ends", "", async (scene) => {
  for (const script of ["true", "exit 7", "kill -9 $$", "touch x & exec sleep 0", "rm -rf ./*"]) {
    await scene.script(script, { entries: [...workspaceWrite, special("slash_tmp", "write")] });
    assertEquals(await scene.host("ls -A ws | grep -v x || true"), "");
  }
});

testScene("commands that share a workspace protect it for each other", "", async (scene) => {
  const attempt = "for i in 1 2 3 4 5 6 7 8; do mkdir .git .codex 2>/dev/null && echo made; done";
  const results = await Promise.all(
    Array.from(
      { length: 12 },
      (_, at) => scene.script(`sleep 0.0${at % 4}; ${attempt}`, { entries: workspaceWrite }),
    ),
  );
  assertEquals(results.map(({ stdout }) => stdout).join(""), "");
  assertEquals(await scene.host("ls -A ws"), "");
});

testScene("a process that outlives the command cannot use the gap", "", async (scene) => {
  for (let round = 0; round < 5; round++) {
    const { exitCode } = await scene.script(
      "for i in 1 2 3 4; do (while :; do mkdir .git; done) 2>/dev/null & done; sleep 0.01",
      { entries: workspaceWrite },
    );
    assertEquals(exitCode, 0);
    assertEquals(await scene.host("ls -A ws"), "");
  }
}, ["bubblewrap"]);

/** What the user makes while the command waits for it, and what the command then tries. */
const MADE_MEANWHILE = "mkdir ws/.git && echo keep > ws/.git/config && mkdir ws/.git/hooks";

testScene(
  "what the user makes meanwhile at a protected name cannot be changed",
  "",
  async (scene) => {
    const attempts = [
      "dd if=/dev/zero of=.git/config conv=notrunc count=1",
      "echo x > .git/config",
      "echo x >> .git/config",
      "truncate -s 0 .git/config",
      "rm .git/config",
      "mv .git/config free",
      "mv .git free",
      "mv free .git/config",
      "ln .git/config free2",
      "rmdir .git/hooks",
      "touch .git/hooks/pre-commit",
    ];
    const tries = attempts.map((attempt) => `${attempt} && echo "${attempt}: worked"`).join("\n");
    const running = scene.script(
      `touch free ready; until [ -e go ]; do sleep 0.01; done; exec 2>/dev/null\n${tries}`,
      { entries: workspaceWrite },
    );
    await scene.host(`until [ -e ws/ready ]; do sleep 0.01; done; ${MADE_MEANWHILE}`);
    if (scene.user.id !== undefined) await scene.host(`chown -R ${scene.user.id} ws/.git`);
    await scene.host("touch ws/go");
    assertEquals((await running).stdout, "");
    assertEquals(await scene.host("cat ws/.git/config; ls -A ws/.git"), "keep\nconfig\nhooks\n");
  },
);

testScene("a process that outlives the command is still supervised", "", async (scene) => {
  const { exitCode } = await scene.script(
    "(touch begun; until [ -e end ]; do mkdir .git; done; mkdir .git .codex; touch ended) " +
      ">/dev/null 2>&1 & until [ -e begun ]; do :; done",
    { entries: workspaceWrite },
  );
  assertEquals(exitCode, 0);
  await scene.host("touch ws/end");
  await eventually(() => existsSync(`${scene.workspace}/ended`), "the end of what was left behind");
  assertEquals(await scene.host("ls -A ws"), "begun\nend\nended\n");
}, ["landlock"]);

testScene("a link where a protected name belongs is refused", "", async (scene) => {
  await scene.host("mkdir ws/real && ln -s real ws/.codex");
  const error = await assertRejects(
    () => scene.script("true", { entries: workspaceWrite }),
    RpcError,
  );
  assertEquals(error.code, -32603);
  assertMatch(error.message, /\.codex' has to stay as it is, but it is a symbolic link/);
  assertEquals(await scene.host("ls -A ws"), ".codex\nreal\n");
}, ["bubblewrap"]);

testScene(
  "a link where a protected name belongs stays as it is",
  "mkdir ws/real ws/other && ln -s real ws/.codex",
  async (scene) => {
    const { stdout } = await scene.script(
      "for c in 'rm .codex' 'mv .codex x' 'ln -sfn other .codex' 'touch real/x' 'touch .codex/x' " +
        "'mv real x' 'mv other .codex' 'mv -T other real' 'rmdir real'; do $c 2>/dev/null && echo \"$c\"; done; " +
        "touch free",
      { entries: workspaceWrite },
    );
    assertEquals(stdout, "");
    assertEquals(
      await scene.host("ls -A ws ws/real"),
      "ws:\n.codex\nfree\nother\nreal\n\nws/real:\n",
    );
  },
  ["landlock"],
);

const COMMITTED = "cd ws && git init -q && " +
  "git -c user.name=n -c user.email=e commit -q --allow-empty -m m && touch new; cd ..";

testScene("git works on a repository that it cannot change", COMMITTED, async (scene) => {
  const { exitCode, stdout, stderr } = await scene.script(
    "git status --porcelain && git log --format=%s && ! git commit -q --allow-empty -m x",
    { entries: workspaceWrite, env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent" } },
  );
  assertEquals(stdout, "?? new\nm\n", stderr);
  assertEquals(exitCode, 0);
});

testScene("what has just been written can be executed", "", async (scene) => {
  const { stdout, stderr } = await scene.script(
    "for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4 5 6 7 8; do " +
      "printf '#!/bin/sh\\n' > p$i$j; chmod 755 p$i$j; ./p$i$j; cp /bin/true q$i$j; ./q$i$j; done; done; echo done",
    { entries: workspaceWrite },
  );
  assertEquals([stdout, stderr], ["done\n", ""]);
});
