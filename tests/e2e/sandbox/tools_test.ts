import { assertEquals, assertMatch } from "@std/assert";
import { testOnMachines, TOOLS_PATH } from "./support/machines.ts";
import { python } from "./support/python.ts";

const shell = (script: string) => ["/bin/sh", "-c", script];

testOnMachines("a program talks to its own children through sockets", async (scene) => {
  const { stdout, stderr } = await scene.run(python(`
ours, theirs = socket.socketpair()
if os.fork() == 0:
    theirs.sendall(theirs.recv(10).upper())
    os._exit(0)
ours.sendall(b"hello")
print(ours.recv(10).decode())
`));
  assertEquals([stdout, stderr], ["HELLO\n", ""]);
});

testOnMachines("python's multiprocessing works", async (scene) => {
  const processes = python(`
import multiprocessing
context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
process = context.Process(target=lambda: theirs.send("sent"))
process.start(); print(ours.recv()); process.join()
`);
  const piped = await scene.run(processes);
  assertEquals([piped.stdout, piped.stderr], ["sent\n", ""]);
  const pool = python(`
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2, -3]))
`);
  const pooled = await scene.run(pool, scene.withSharedMemory);
  assertEquals([pooled.stdout, pooled.stderr], ["[1, 2, 3]\n", ""]);
});

const REPOSITORY = "git init -q . && git config user.email a@b && git config user.name n && " +
  "git commit -q --allow-empty -m first && echo x > f";

testOnMachines("git reads a repository", async (scene) => {
  const bare = await scene.run(shell(REPOSITORY), { sandbox: null });
  assertEquals([bare.exitCode, bare.stderr], [0, ""]);
  const { stdout, stderr } = await scene.run(shell("git status --short f && git log --format=%s"));
  assertEquals([stdout, stderr], ["?? f\nfirst\n", ""]);
  const changed = await scene.run(
    shell("git add f && git commit -q -m second && git log -1 --format=%s"),
  );
  assertMatch(changed.stderr, /read-only file system/i);
}, { needs: ["git"] });

/** A lock, compilers side by side that share a jobserver, results renamed and linked into place. */
const MAKEFILE = `
all: out/program
	ln -f out/program out/program-linked
	./out/program-linked
out/program: out/a.o out/b.o
	cc -o $@.new $^ && mv $@.new $@
out/%.o: %.c
	mkdir -p out && cc -c -o $@ $<
`;

testOnMachines("a build tool works, with its lock and its compilers", async (scene) => {
  const { workspace } = scene;
  Deno.writeTextFileSync(`${workspace}/Makefile`, MAKEFILE);
  Deno.writeTextFileSync(`${workspace}/a.c`, "int b(void); int main(void) { return b(); }\n");
  Deno.writeTextFileSync(
    `${workspace}/b.c`,
    '#include <stdio.h>\nint b(void) { puts("built"); return 0; }\n',
  );
  const env = { PATH: TOOLS_PATH, HOME: workspace, TMPDIR: workspace };
  const build = shell("flock lock make -s -j2 && make -s -q out/program && echo up to date");
  const { stdout, stderr } = await scene.run(build, { env });
  assertEquals([stdout, stderr], ["built\nup to date\n", ""]);
}, { needs: ["make", "cc", "flock"] });

/** What npm and its scripts do: children with channels, workers, links, renames. */
const NODE = `
const { fork, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const { Worker, isMainThread } = require("node:worker_threads");
if (process.send) {
  process.on("message", (value) => process.send(value + 1, () => process.disconnect()));
} else if (isMainThread) {
  fs.mkdirSync("node_modules/.bin", { recursive: true });
  fs.writeFileSync("node_modules/tool.tmp", "echo tool");
  fs.renameSync("node_modules/tool.tmp", "node_modules/tool");
  fs.symlinkSync("../tool", "node_modules/.bin/tool");
  fs.cpSync("node_modules", "copied", { recursive: true, verbatimSymlinks: true });
  console.log(spawnSync("sh", ["copied/.bin/tool"]).stdout.toString().trim());
  const child = fork(__filename);
  child.on("message", (value) => {
    console.log(value);
    new Worker(__filename).on("exit", (code) => console.log("worker", code));
  });
  child.send(41);
}
`;

testOnMachines("node and the scripts of a package work", async (scene) => {
  const { workspace } = scene;
  Deno.writeTextFileSync(`${workspace}/script.cjs`, NODE);
  const env = { PATH: TOOLS_PATH, HOME: workspace, TMPDIR: workspace };
  const { stdout, stderr } = await scene.run(["node", "script.cjs"], { env });
  assertEquals([stdout, stderr], ["tool\n42\nworker 0\n", ""]);
  const manifest = { name: "x", version: "1.0.0", scripts: { build: "echo built | cat" } };
  Deno.writeTextFileSync(`${workspace}/package.json`, JSON.stringify(manifest));
  const ran = await scene.run(["npm", "run", "--silent", "build"], { env });
  assertEquals([ran.stdout, ran.exitCode], ["built\n", 0], ran.stderr);
}, { needs: ["node", "npm"] });

testOnMachines("a shell controls its jobs", async (scene) => {
  const jobs = "sleep 100 & sleep 0.01; jobs; kill %1; wait %1; echo ended $?; " +
    "(sleep 0.1; exit 7) & fg; echo code $?";
  const { pty } = await scene.run(["/bin/bash", "--norc", "-ic", jobs], { tty: true });
  assertMatch(pty, /Running +sleep 100/);
  assertMatch(pty, /ended 143/);
  assertMatch(pty, /code 7/);
  assertEquals(pty.includes("no job control"), false, pty);
});

testOnMachines("a pipeline of many programs works", async (scene) => {
  const { stdout } = await scene.run(
    shell("seq 1 1000 | sort -rn | awk '{ s += $1 } END { print s }' | cat"),
  );
  assertEquals(stdout, "500500\n");
});

testOnMachines("what a command has just written can be executed at once", async (scene) => {
  // A supervisor that opens files for a command has them open for writing itself, for a moment.
  const { stdout, stderr } = await scene.run(python(`
import signal
busy = []
for _ in range(2):
    busy.append(os.fork())
    if busy[-1] == 0:
        while True: pass
failed = 0
for index in range(200):
    name = f"program{index}"
    made = os.open(name, os.O_CREAT | os.O_WRONLY, 0o755 if index % 2 else 0o644)
    os.write(made, b"#!/bin/true\\n")
    if index % 2 == 0: os.fchmod(made, 0o755)
    os.close(made)
    try:
        os.waitpid(os.posix_spawn(name, [name], {}), 0)
    except OSError as error:
        failed += 1
        print(error)
for one in busy: os.kill(one, signal.SIGKILL)
print("failed", failed)
`));
  assertEquals([stdout, stderr], ["failed 0\n", ""]);
});
