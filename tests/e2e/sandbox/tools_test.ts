import { assertEquals, assertMatch } from "@std/assert";
import { testSandboxed } from "./support/sandboxed.ts";

testSandboxed("a program talks to its own children through sockets", async ({ run }) => {
  const code = `
import os, socket
ours, theirs = socket.socketpair()
if os.fork() == 0:
    theirs.sendall(theirs.recv(10).upper())
    os._exit(0)
ours.sendall(b"hello")
print(ours.recv(10).decode())
`;
  const { stdout, stderr } = await run(["/usr/bin/python3", "-c", code]);
  assertEquals([stdout, stderr], ["HELLO\n", ""]);
});

testSandboxed("python's multiprocessing works", async ({ run }) => {
  const code = `
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2, -3]))
`;
  const { stdout, stderr } = await run(["/usr/bin/python3", "-c", code]);
  assertEquals([stdout, stderr], ["[1, 2, 3]\n", ""]);
});

testSandboxed("git reads a repository that it may not change", async ({ script }) => {
  const identity = "git config user.email a@b && git config user.name n";
  const commit = "git commit -q --allow-empty -m first";
  const bare = await script(`git init -q . && ${identity} && ${commit} && echo x > f`, {
    sandbox: null,
  });
  assertEquals([bare.exitCode, bare.stderr], [0, ""]);
  const { stdout, stderr } = await script("git status --short && git log --format=%s");
  assertEquals([stdout, stderr], ["?? f\nfirst\n", ""]);
  const denied = await script("git add f");
  assertMatch(denied.stderr, /read-only file system/i);
});

testSandboxed("a shell controls its jobs", async ({ run }) => {
  const jobs = "sleep 100 & sleep 0.01; jobs; kill %1; wait %1; echo ended $?";
  const { pty } = await run(["/bin/bash", "--norc", "-ic", jobs], { tty: true });
  assertMatch(pty, /Running +sleep 100/);
  assertMatch(pty, /ended 143/);
  assertEquals(pty.includes("no job control"), false, pty);
});

testSandboxed("a pipeline of many programs works", async ({ script }) => {
  const { stdout } = await script(
    "seq 1 1000 | sort -rn | awk '{ s += $1 } END { print s }' | cat",
  );
  assertEquals(stdout, "500500\n");
});
