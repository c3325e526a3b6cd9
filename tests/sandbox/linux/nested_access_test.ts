import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { glob, path, special, workspaceWrite } from "../context.ts";
import { type Scene, testScene } from "./scene.ts";

/**
 * What a command can do at each path: `w` if it can make and change files, `r` if it can read one,
 * `l` if it can list names, `-` if none of it. Every directory has a file `f`.
 */
function probe(paths: readonly string[]): string {
  const one = "d=$1; a=; (echo x > $d/new && echo y > $d/f) 2>/dev/null && a=w; " +
    "cat $d/f >/dev/null 2>&1 && a=${a}r; ls $d >/dev/null 2>&1 && a=${a}l; echo ${a:--}";
  return `probe() { ${one}; }; ${paths.map((path) => `probe ${path}`).join("; ")}`;
}

const TREE =
  "mkdir -p ws/a/b/c/d && for d in ws ws/a ws/a/b ws/a/b/c ws/a/b/c/d; do echo f > $d/f; done";
const PATHS = ["a", "a/b", "a/b/c", "a/b/c/d"];

for (
  const [accesses, expected] of [
    [["write", "read", "deny", "write"], ["wrl", "rl", "-", "wrl"]],
    [["read", "write", "read", "deny"], ["rl", "wrl", "rl", "-"]],
    [["deny", "read", "write", "deny"], ["-", "rl", "wrl", "-"]],
    [["deny", "write", "deny", "read"], ["-", "wrl", "-", "rl"]],
    [["read", "deny", "write", "read"], ["rl", "-", "wrl", "rl"]],
    [["write", "deny", "read", "write"], ["wrl", "-", "rl", "wrl"]],
  ] as const
) {
  for (const root of ["read", "deny", "write"]) {
    testScene(`${accesses.join(", ")} below a root to ${root}`, TREE, async (scene) => {
      const entries = [
        special("root", root),
        special("minimal", "read"),
        path(scene.workspace, "read"),
        ...PATHS.map((at, index) => path(`${scene.workspace}/${at}`, accesses[index] ?? "")),
      ];
      const { stdout, stderr } = await scene.script(probe(PATHS), { entries });
      assertEquals(stdout.trim().split("\n"), [...expected], stderr);
    });
  }
}

testScene(
  "a denied file cannot be read, changed, moved, removed or linked",
  TREE,
  async (scene) => {
    const commands = [
      "cat f",
      "echo x > f",
      "mv f g",
      "rm f",
      "ln f g",
      "chmod 644 f",
      "cp f g",
      "touch f",
    ];
    const { stdout } = await scene.script(
      commands.map((command) => `(${command}) 2>/dev/null && echo '${command}'`).join("\n"),
      { entries: [...workspaceWrite, path(`${scene.workspace}/f`, "deny")] },
    );
    assertEquals(stdout, "");
    assertEquals(await scene.host("ls -A ws; cat ws/f"), "a\nf\nf\n");
  },
);

testScene(
  "what globs deny and nobody can name keeps a command from starting",
  TREE,
  async (scene) => {
    await scene.host('mkdir "$(printf "ws/a/\\377")"; echo k > "$(printf "ws/a/\\376.txt")"');
    const run = (pattern: string) =>
      scene.script("cat a/*.txt", { entries: [...workspaceWrite, glob(pattern)] });
    for (const pattern of ["**/*.env", "**/*.txt", "a/*.txt"]) {
      await assertRejects(() => run(pattern), RpcError, "a name that is not UTF-8");
    }
    assertEquals((await run("a/*.env")).stdout, "k\n");
  },
);

testScene("what globs deny stays denied in a writable directory", TREE, async (scene) => {
  await scene.host(
    "for d in ws ws/a; do echo secret > $d/.env; mkdir $d/keys; echo k > $d/keys/k; done",
  );
  const entries = [...workspaceWrite, glob("**/.env"), glob("**/keys")];
  const { stdout } = await scene.script(
    "for f in .env a/.env keys/k a/keys/k; do cat $f 2>/dev/null && echo $f; done; mv a c && echo moved; cat f",
    { entries },
  );
  assertEquals(stdout, "f\n");
  const limited = await scene.script("cat .env a/.env 2>/dev/null; true", {
    entries,
    globScanMaxDepth: 1,
  });
  assertEquals(limited.stdout, "secret\n");
});

testScene(
  "minimal is enough for a shell and its tools, and shows nothing else",
  TREE,
  async (scene) => {
    const { stdout, stderr } = await scene.script(
      `cat f; ls -A / | tr '\\n' ' '; echo; test -e ${scene.outside} || echo hidden
    echo x 2>/dev/null > /new || echo closed; ls -A ${scene.base}`,
      { entries: [special("minimal", "read"), special("project_roots", "write")] },
    );
    const [file, root, hidden, closed, base] = stdout.split("\n");
    assertEquals([file, hidden, closed, base], ["f", "hidden", "closed", "ws"], stderr);
    assertMatch(root ?? "", /^(bin |dev |etc |gnu |lib\w* |nix |proc |run |sbin |tmp |usr )+$/);
  },
  // Landlock denies more: it cannot show a directory with part of its names.
  ["bubblewrap"],
);

testScene("a root behind a link can be used by both names", TREE, async (scene) => {
  await scene.host("ln -s ws link");
  for (
    const entries of [workspaceWrite, [
      special("minimal", "read"),
      special("project_roots", "write"),
    ]]
  ) {
    const { exitCode, stderr } = await scene.script(
      `cd ${scene.base}/link && touch by-link && touch ${scene.workspace}/by-name && rm by-name && ` +
        `rm ${scene.base}/link/by-link && ! touch ${scene.base}/x`,
      { entries, cwd: `${scene.base}/link`, workspaceRoots: [`${scene.base}/link`] },
    );
    assertEquals(exitCode, 0, stderr);
  }
});

testScene("a temporary directory of the command's own", "mkdir temp", async (scene) => {
  const env = { PATH: "/usr/bin:/bin", TMPDIR: `${scene.base}/temp` };
  const { exitCode } = await scene.script(`touch $TMPDIR/x && ! touch ${scene.base}/x`, {
    entries: [...workspaceWrite, special("tmpdir", "write")],
    env,
  });
  assertEquals(exitCode, 0);
});

testScene("a file can be granted by itself", TREE, async (scene) => {
  const file = `${scene.workspace}/f`;
  const { stdout } = await scene.script(
    `echo x > ${file} && cat ${file}; rm ${file} 2>/dev/null; cat ${scene.workspace}/a/f 2>/dev/null`,
    { entries: [special("minimal", "read"), path(file, "write")], cwd: "/", workspaceRoots: [] },
  );
  assertEquals(stdout, "x\n");
});

for (
  const [what, code, message, options] of [
    ["a missing workspace root", -32602, /does not exist/, (scene: Scene) => ({
      workspaceRoots: [`${scene.base}/nowhere`],
    })],
    [
      "a working directory that may not be read",
      -32603,
      /does not let the command read it/,
      () => ({
        entries: [special("minimal", "read")],
      }),
    ],
    [
      "a working directory that is missing",
      -32603,
      /No such file or directory/,
      (scene: Scene) => ({
        cwd: `${scene.base}/nowhere`,
        workspaceRoots: [scene.workspace],
      }),
    ],
    ["a shell that may not be read", -32603, /does not let the command read it/, () => ({
      entries: [special("project_roots", "write")],
    })],
  ] as const
) {
  testScene(`${what} is refused before anything runs`, "", async (scene) => {
    const error = await assertRejects(
      () => scene.script("true", { entries: workspaceWrite, ...options(scene) }),
      RpcError,
    );
    assertEquals(error.code, code);
    assertMatch(error.message, message);
    assertEquals(await scene.host("ls -A ws"), "");
  });
}

const PROGRAMS = "mkdir ws/tools ws/sub && for f in tools/run sub/run alone; do " +
  "printf '#!/bin/sh\\necho ran %s\\n' $f > ws/$f; chmod 755 ws/$f; done; cp /bin/true ws/tools/true";

testScene("a denied program cannot be executed, and others can", PROGRAMS, async (scene) => {
  const denied = ["tools", "alone"].map((name) => path(`${scene.workspace}/${name}`, "deny"));
  const { stdout } = await scene.script(
    "./tools/run; ./alone; ./tools/true && echo true; ./sub/run; cp sub/run sub/new; ./sub/new; " +
      "cd tools; ./run; cat ../alone; ld=$(ls /lib64/ld-linux* /lib/ld-linux-a*); $ld ./true && echo true",
    { entries: [...workspaceWrite, ...denied] },
  );
  assertEquals(stdout, "ran sub/run\nran sub/run\n");
});

testScene("a process reads what the kernel tells of it", TREE, async (scene) => {
  const { stdout, stderr } = await scene.script(
    "cat /proc/self/comm; ls /proc/self/fd | head -1; " +
      "head -c 0 /proc/self/environ && cat < /dev/null && cat /proc/thread-self/comm",
    { entries: [...workspaceWrite, path(`${scene.workspace}/f`, "deny")] },
  );
  assertEquals([stdout, stderr], ["cat\n0\ncat\n", ""]);
});
