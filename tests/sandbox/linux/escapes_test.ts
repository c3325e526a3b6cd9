import { assertEquals, assertNotEquals } from "@std/assert";
import { path, special, workspaceWrite } from "../context.ts";
import { type Scene, testScene } from "./scene.ts";

/** Everything beside the workspace can be written but for its own permissions: the sandbox decides. */
const OPEN = "chmod -R a+rwX . && mkdir ws/sub && echo in > ws/file";

/** Tests that a script fails and leaves what is outside as it was. */
function testEscape(name: string, script: (scene: Scene) => string): void {
  testScene(`no way out by ${name}`, OPEN, async (scene) => {
    const before = await scene.host("find outside -printf '%p %y %m %s\\n' | sort; cat outside/*");
    const { exitCode, stdout } = await scene.script(script(scene), { entries: workspaceWrite });
    assertNotEquals(exitCode, 0, stdout);
    assertEquals(
      await scene.host("find outside -printf '%p %y %m %s\\n' | sort; cat outside/*"),
      before,
    );
  });
}

testEscape("a plain path", ({ outside }) => `echo x > ${outside}/secret`);
testEscape("a parent directory", () => "echo x > ../outside/new");
testEscape("a symbolic link to a file", ({ outside }) => `ln -s ${outside}/secret l; echo x > l`);
testEscape("a symbolic link to a directory", ({ outside }) => `ln -s ${outside} l; touch l/new`);
testEscape("a hard link", ({ outside }) => `ln ${outside}/secret hard`);
testEscape("renaming the outside in", ({ outside }) => `mv ${outside} in`);
testEscape("renaming the workspace away", ({ workspace, base }) => `mv ${workspace} ${base}/moved`);
testEscape("removing from outside", ({ outside }) => `rm ${outside}/secret`);
testEscape("changing permissions outside", ({ outside }) => `chmod 0 ${outside}/secret`);
testEscape("changing times outside", ({ outside }) => `touch ${outside}/secret`);
testEscape("the first process's root", ({ outside }) => `echo x > /proc/1/root${outside}/secret`);
testEscape("the own process's root", ({ outside }) => `echo x > /proc/self/root${outside}/secret`);
testEscape(
  "the roots of all processes to be seen",
  ({ outside }) =>
    `for r in /proc/[0-9]*/root; do echo x > $r${outside}/new && exit 0; done; exit 1`,
);
testEscape(
  "descriptors that the first process has open",
  () => "for f in /proc/1/fd/*; do touch $f/../outside/new 2>/dev/null && exit 0; done; exit 1",
);
testEscape("remounting", ({ outside }) => `mount -o remount,rw / ; touch ${outside}/new`);
testEscape(
  "remounting a bind mount",
  ({ outside }) => `mount -o remount,rw,bind / ; touch ${outside}/new`,
);
testEscape(
  "mounting over the workspace",
  ({ outside }) => `mount --bind ${outside} sub && touch sub/new`,
);
testEscape(
  "unmounting",
  ({ outside, workspace }) => `umount -l ${workspace} / ; touch ${outside}/new`,
);
testEscape(
  "namespaces of its own",
  ({ outside }) => `unshare -Urm sh -c 'mount -o remount,rw,bind /; touch ${outside}/new'`,
);
testEscape(
  "another bubblewrap",
  ({ outside }) =>
    `bwrap --bind / / touch ${outside}/new || bwrap --dev-bind / / touch ${outside}/new`,
);
testEscape("a new device node", () => "mknod disk b 254 0 && dd if=disk of=/dev/null count=1");
testEscape("a set-user-id program of its own", ({ outside }) => {
  return `cp /bin/sh ./sh; chmod u+s sh; ./sh -c 'touch ${outside}/new'`;
});

testScene("inside of its grant the same works", OPEN, async (scene) => {
  const { exitCode, stderr } = await scene.script(
    `set -e
    echo x > file; ln -s file link; echo y > link; ln file hard; mv sub moved; mkdir -p a/b
    chmod 600 file; touch -d @0 file; rm hard; rm -r moved; echo z > ${scene.workspace}/a/b/c
    echo x > /proc/self/root${scene.workspace}/a/d`,
    { entries: workspaceWrite },
  );
  assertEquals(stderr, "");
  assertEquals(exitCode, 0);
  assertEquals(await scene.host("cd ws; find . -type f | sort"), "./a/b/c\n./a/d\n./file\n");
});

testScene("processes outside are neither seen nor reached by signals", "", async (scene) => {
  const { stdout, exitCode } = await scene.script(
    `kill -0 ${Deno.pid} 2>/dev/null && echo reached; ps -e >/dev/null 2>&1; ls -d /proc/[0-9]* | wc -l; exit 3`,
    { entries: workspaceWrite },
  );
  assertEquals(exitCode, 3);
  assertEquals(stdout.includes("reached"), false);
  assertEquals(Number(stdout.trim()) < 10, true, stdout);
}, ["bubblewrap"]);

testScene("no capabilities, no new privileges, a filter of system calls", "", async (scene) => {
  const { stdout } = await scene.script("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status", {
    entries: workspaceWrite,
  });
  assertEquals(
    stdout.replaceAll("\t", " "),
    [
      "CapInh: 0000000000000000",
      "CapPrm: 0000000000000000",
      "CapEff: 0000000000000000",
      "CapBnd: 0000000000000000",
      "CapAmb: 0000000000000000",
      "NoNewPrivs: 1",
      "Seccomp: 2\n",
    ].join("\n"),
  );
}, ["bubblewrap"]);

testScene("a network of its own with nothing in it", "", async (scene) => {
  const devices = "sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev | sort | tr '\\n' ' '";
  const closed = await scene.script(devices, { entries: workspaceWrite });
  assertEquals(closed.stdout, "lo ");
  const open = await scene.script("readlink /proc/self/ns/net", {
    entries: workspaceWrite,
    network: "enabled",
  });
  assertEquals(open.stdout.trim(), await Deno.readLink("/proc/self/ns/net"));
}, ["bubblewrap"]);

testScene("with all files granted only the network is taken", OPEN, async (scene) => {
  const permissions = {
    type: "managed",
    file_system: { type: "unrestricted" },
    network: "restricted",
  };
  const { exitCode, stdout } = await scene.script(
    `echo x > ${scene.outside}/new; test -c /dev/null; mkdir .git
    sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev`,
    { permissions },
  );
  assertEquals([exitCode, stdout], [0, "lo\n"]);
  assertEquals(await scene.host("cat outside/new"), "x\n");
}, ["bubblewrap"]);

testScene("writing everywhere but in one place", OPEN, async (scene) => {
  const { exitCode } = await scene.script(
    `touch ${scene.base}/new && ! touch ${scene.outside}/new && ! mv ${scene.outside} x &&
      ! mv ${scene.base} ${scene.base}-moved`,
    { entries: [special("root", "write"), path(scene.outside, "read")] },
  );
  assertEquals(exitCode, 0);
});
