import { assertEquals, assertNotEquals } from "@std/assert";
import { path, special, type WireEntry } from "../context.ts";
import { type LandlockScene, testLandlock } from "./landlock_scene.ts";

/** Everything beside the workspace can be written but for its own permissions: the sandbox decides. */
const OPEN = "chmod -R a+rwX . && mkdir ws/sub && echo in > ws/file";

/** Reads everything and writes the workspace, without any name kept from it. */
function openWorkspace({ workspace }: LandlockScene): WireEntry[] {
  const names = [".git", ".agents", ".codex"];
  return [
    special("root", "read"),
    path(workspace, "write"),
    ...names.map((name) => path(`${workspace}/${name}`, "write")),
  ];
}

/** Tests that a script fails and leaves what is outside as it was. */
function testEscape(name: string, script: (scene: LandlockScene) => string): void {
  testLandlock(`no way out by ${name}`, OPEN, async (scene) => {
    const state = "find outside -printf '%p %y %m %s %t\\n' | sort; cat outside/*";
    const before = await scene.host(state);
    const entries = openWorkspace(scene);
    const { exitCode, stdout } = await scene.script(`echo runs; ${script(scene)}`, { entries });
    assertNotEquals(exitCode, 0, stdout);
    assertEquals(stdout.startsWith("runs\n"), true);
    assertEquals(await scene.host(state), before);
  });
}

testEscape("a plain path", ({ outside }) => `echo x > ${outside}/secret`);
testEscape("a parent directory", () => "echo x > ../outside/new");
testEscape("a symbolic link to a file", ({ outside }) => `ln -s ${outside}/secret l; echo x > l`);
testEscape("a symbolic link to a directory", ({ outside }) => `ln -s ${outside} l; touch l/new`);
testEscape("a hard link", ({ outside }) => `ln ${outside}/secret hard`);
testEscape("renaming the outside in", ({ outside }) => `perl -e 'rename "${outside}","in" or die'`);
testEscape(
  "renaming the workspace away",
  ({ workspace, base }) => `perl -e 'rename "${workspace}", "${base}/moved" or die'`,
);
testEscape(
  "renaming out",
  ({ outside }) => `perl -e 'rename "file", "${outside}/new" or die'`,
);
testEscape("removing from outside", ({ outside }) => `rm ${outside}/secret`);
testEscape("truncating", ({ outside }) => `perl -e 'truncate("${outside}/secret", 0) or die'`);
testEscape("changing permissions outside", ({ outside }) => `chmod 0 ${outside}/secret`);
testEscape("changing times outside", ({ outside }) => `touch ${outside}/secret`);
testEscape(
  "changing times of an open file",
  ({ outside }) => `perl -e 'open F, "<${outside}/secret"; utime 0, 0, *F or die'`,
);
testEscape("changing owners outside", ({ outside }) => `chown $(id -u) ${outside}/secret`);
testEscape(
  "extended attributes",
  ({ outside }) => `python3 -c 'import os; os.setxattr("${outside}/secret", "user.x", b"")'`,
);
testEscape("the first process's root", ({ outside }) => `echo x > /proc/1/root${outside}/secret`);
testEscape("the own process's root", ({ outside }) => `echo x > /proc/self/root${outside}/secret`);
testEscape(
  "the roots of all processes to be seen",
  ({ outside }) =>
    `for r in /proc/[0-9]*/root; do echo x > $r${outside}/new && exit 0; done; exit 1`,
);
testEscape("remounting", ({ outside }) => `mount -o remount,rw / ; touch ${outside}/new`);
testEscape(
  "mounting over the workspace",
  ({ outside }) => `mount --bind ${outside} sub && touch sub/new`,
);
testEscape(
  "namespaces of its own",
  ({ outside }) => `unshare -Urm sh -c 'touch ${outside}/new'`,
);
testEscape("bubblewrap", ({ outside }) => `bwrap --bind / / touch ${outside}/new`);
testEscape("a new device node", () => "mknod disk b 254 0 && dd if=disk of=/dev/null count=1");
testEscape("a set-user-id program of its own", ({ outside }) => {
  return `cp /bin/sh ./sh; chmod u+s sh; ./sh -c 'touch ${outside}/new'`;
});
testEscape("a disk or another terminal", () => "head -c 1 /dev/[hnsv]d? /dev/pts/[0-9]*");

testLandlock("inside of its grant the same works", OPEN, async (scene) => {
  const { exitCode, stderr } = await scene.script(
    `set -e
    echo x > file; ln -s file link; echo y > link; ln file hard; mv sub moved; mkdir -p a/b
    mv link a; ln file a/hard; rm -r a/hard a/link hard moved; echo z > ${scene.workspace}/a/b/c
    perl -e 'truncate("file", 0) or die'; mkfifo p; rm p
    echo x > /proc/self/root${scene.workspace}/a/d; mkdir .git; echo > .git/config`,
    { entries: openWorkspace(scene) },
  );
  assertEquals(stderr, "");
  assertEquals(exitCode, 0);
  assertEquals(
    await scene.host("cd ws; find . -type f -printf '%p %s\\n' | sort"),
    "./.git/config 1\n./a/b/c 2\n./a/d 2\n./file 0\n",
  );
});

testLandlock("what is not granted cannot be read", OPEN, async (scene) => {
  const entries = [special("minimal", "read"), path(scene.workspace, "read")];
  const { stdout } = await scene.script(
    `cat file; cat ${scene.outside}/secret; ls ${scene.outside}; ls /; echo x > file; touch new`,
    { entries },
  );
  assertEquals(stdout, "in\n");
});
