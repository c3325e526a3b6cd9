import { assertEquals } from "@std/assert";
import { callNumber } from "../../../src/sandbox/supervisor/calls.ts";
import { path } from "../../sandbox/context.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";
import { enclosedIn } from "./support/sandboxed.ts";
import { python } from "./support/python.ts";

const OPENAT = callNumber("openat", Deno.build.arch);
const RENAMEAT2 = callNumber("renameat2", Deno.build.arch);

/**
 * How long each race is tried at least, in seconds; the suite has a few tries. Millions, once in a
 * while: `REMEX_TEST_RACE_SECONDS=60 scripts/test tests/e2e/sandbox/races_test.ts`.
 */
const TRIED_FOR = Number(Deno.env.get("REMEX_TEST_RACE_SECONDS") ?? 0);
const TRIES = 300;

/**
 * Two processes that share memory, one of which changes what the other's calls are about.
 *
 * `shared` is the memory, `at(offset)` its address, `put(offset, bytes)` writes to it;
 * `meanwhile(action)` repeats an action in the other process; `attempt(action)` repeats one here until
 * the race is over.
 */
const PRELUDE = `
import mmap, time
shared = mmap.mmap(-1, 8192)
address = ctypes.addressof(ctypes.c_char.from_buffer(shared))
def at(offset): return ctypes.c_void_p(address + offset)
def put(offset, data): ctypes.memmove(address + offset, data, len(data))
end = time.monotonic() + ${TRIED_FOR}
tries, other = 0, 0
def over(): return tries >= ${TRIES} and time.monotonic() >= end
def meanwhile(action):
    global other
    other = os.fork()
    while other == 0: action()
def attempt(action):
    global tries
    while not over():
        result = action(); tries += 1
        if result is not None and result >= 0:
            try:
                os.write(result, b"changed")
            except OSError: pass
            os.close(result)
    if other: os.kill(other, signal.SIGKILL)
    print("tried", tries > 0, flush=True)
def raw_open(path, base=-100): return libc.syscall(ctypes.c_long(${OPENAT}), base, path, 1)
`;

/** What each race begins with, in the workspace, as whoever runs the tests. */
const BEGINNING = "rm -rf ./* .git; mkdir .git .git/sub d names; echo protected > .git/HEAD; " +
  "echo protected > .git/sub/HEAD; echo free > HEAD; echo free > d/HEAD; ln -s .git link; " +
  "ln -s .git/HEAD flink; ln -s ../.git names/.git; touch new";

function prepare({ workspace, user }: MachineScene): void {
  const owned = user.id === undefined ? "" : `; chown -hR ${user.id}:${user.id} .`;
  const { success } = new Deno.Command("/bin/sh", {
    args: ["-ec", BEGINNING + owned],
    cwd: workspace,
  }).outputSync();
  assertEquals(success, true);
}

/** Another process or thread changes what a call is about while it is looked at. */
const RACES: Readonly<Record<string, string>> = {
  "the path in memory": `
put(0, b"d/HEAD\\0")
meanwhile(lambda: (put(0, b".git/HEAD\\0"), put(0, b"d/HEAD\\0")))
attempt(lambda: raw_open(at(0)))
`,
  "one byte of the path": `
put(0, b"xgit/HEAD\\0")
meanwhile(lambda: (put(0, b"."), put(0, b"x")))
attempt(lambda: raw_open(at(0)))
`,
  "a directory that becomes a link": `
def exchange(): libc.syscall(ctypes.c_long(${RENAMEAT2}), -100, b"d", -100, b"link", 2)
meanwhile(exchange)
attempt(lambda: raw_open(b"d/HEAD"))
`,
  "a file that becomes a link": `
def exchange(): libc.syscall(ctypes.c_long(${RENAMEAT2}), -100, b"HEAD", -100, b"flink", 2)
meanwhile(exchange)
attempt(lambda: raw_open(b"HEAD"))
`,
  "the descriptor of a directory": `
import threading
protected, free = os.open(".git", os.O_RDONLY), os.open("d", os.O_RDONLY)
os.dup2(free, 70)
def swap():
    while not over():
        libc.dup2(protected, 70); libc.dup2(free, 70)
threading.Thread(target=swap).start()
attempt(lambda: raw_open(b"HEAD", 70))
`,
  "the working directory": `
import threading
protected, free = os.open(".git", os.O_RDONLY), os.open("d", os.O_RDONLY)
def swap():
    while not over():
        libc.fchdir(protected); libc.fchdir(free)
threading.Thread(target=swap).start()
attempt(lambda: raw_open(b"HEAD"))
`,
  "the target of a rename": `
meanwhile(lambda: (put(0, b"names/x\\0"), put(0, b".git/new\\0"), put(0, b"new\\0")))
attempt(lambda: libc.syscall(ctypes.c_long(${RENAMEAT2}), -100, b"new", -100, at(0), 0) and None or None)
`,
};

testOnMachines("no race changes what is protected, however often it is tried", async (scene) => {
  for (const [name, script] of Object.entries(RACES)) {
    prepare(scene);
    const { stdout, stderr } = await scene.run(python(PRELUDE + script));
    assertEquals([stdout, stderr], ["tried True\n", ""], name);
    for (const file of [".git/HEAD", ".git/sub/HEAD"]) {
      assertEquals(Deno.readTextFileSync(`${scene.workspace}/${file}`), "protected\n", name);
    }
    const names = Array.from(Deno.readDirSync(`${scene.workspace}/.git`), ({ name }) => name);
    assertEquals(names.sort(), ["HEAD", "sub"], name);
  }
});

testOnMachines("commands that wait for ever do not hold others up", async (scene) => {
  const waiting = python(`
os.mkfifo("fifo")
for _ in range(300):
    if os.fork() == 0:
        os.open("fifo", os.O_WRONLY); os._exit(0)
def ended():
    try: return os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError: return 0
print("waiting", ended(), flush=True)
write("beside")
reader = os.open("fifo", os.O_RDONLY)
for _ in range(300): os.wait()
print("released", flush=True)
`);
  const { stdout, stderr } = await scene.run(waiting);
  assertEquals([stdout, stderr], ["waiting 0\nreleased\n", ""]);
});

testOnMachines("a crowd of calls leaves others and the executor alone", async (scene) => {
  const { client } = scene;
  const crowd = python(`
for number in range(24):
    if os.fork() == 0:
        for round in range(100000):
            os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY))
            os.unlink(f"{number}")
print("begun", flush=True)
os.wait()
`);
  const params = { processId: "crowd", argv: crowd, env: {}, tty: false, ...scene.enclosed };
  await client.request("process/start", params);
  await client.event("crowd");
  const beside = await scene.run(["/bin/sh", "-c", "echo x > beside; cat beside"]);
  assertEquals([beside.stdout, beside.exitCode], ["x\n", 0]);
  const bare = await scene.run(["/bin/echo", "bare"], { sandbox: null });
  assertEquals(bare.stdout, "bare\n");
  await client.request("process/terminate", { processId: "crowd" });
  await client.events("crowd");
});

testOnMachines("a path that leads through thousands of names holds nobody up", async (scene) => {
  const deep = python(`
import errno
for number in range(40):
    os.symlink(f"l{number + 1}/" + "d/../" * 800, f"l{number}")
os.makedirs("l40/d")
try: print(os.mkdir("l0/x") or "made")
except OSError as error: print(errno.errorcode[error.errno])
# As long as any that is met.
os.mkdir("d")
os.symlink("d/../" * 800, "short")
os.mkdir("short/made")
print(os.path.isdir("made"))
`);
  const { stdout, stderr } = await scene.run(deep);
  // Where a command sees the same files as the executor the kernel walks, which is quick.
  const outcome = scene.mechanism === "landlock" ? "made" : "ELOOP";
  assertEquals([stdout, stderr], [`${outcome}\nTrue\n`, ""]);
});

/** As many wait for a writer, and others are refused. */
const WAITING_READERS = 512;

testOnMachines(
  "readers of pipes that nobody writes to take no more than so many descriptors",
  async (scene) => {
    const readers = python(`
import errno, threading, time
os.mkfifo("fifo")
told = []
def read():
    try: told.append(os.close(os.open("fifo", os.O_RDONLY)) or "read")
    except OSError as error: told.append(errno.errorcode[error.errno])
threads = [threading.Thread(target=read, daemon=True) for _ in range(${WAITING_READERS} + 40)]
threading.stack_size(65536)
for thread in threads: thread.start()
while len(told) < 40: time.sleep(0.01)
print(*sorted(set(told)), flush=True)
writer = os.open("fifo", os.O_WRONLY)
for thread in threads: thread.join()
print(told.count("ENFILE"), told.count("read"))
`);
    // Only where something is denied openings for reading are handed over.
    const denied = enclosedIn(scene.workspace, [path(`${scene.outside}/secret`, "deny")]);
    const { stdout, stderr } = await scene.run(readers, denied);
    assertEquals([stdout, stderr], [`ENFILE\n40 ${WAITING_READERS}\n`, ""]);
  },
);
