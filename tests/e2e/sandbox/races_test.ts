import { assertEquals } from "@std/assert";
import { callNumber } from "../../../src/sandbox/supervisor/calls.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";
import { python } from "./support/python.ts";

const OPENAT = callNumber("openat", Deno.build.arch);
const RENAMEAT2 = callNumber("renameat2", Deno.build.arch);

/** How long an attack is tried, in seconds. */
const TRIED_FOR = 3;

/**
 * Two processes that share memory, one of which changes what the other's calls are about.
 *
 * `shared` is the memory, `at(offset)` its address, `put(offset, bytes)` writes to it;
 * `meanwhile(action)` repeats an action in the other process; `attempt(action)` repeats one here until
 * the time is over, and says how often.
 */
const PRELUDE = `
import mmap, time
shared = mmap.mmap(-1, 8192)
address = ctypes.addressof(ctypes.c_char.from_buffer(shared))
def at(offset): return ctypes.c_void_p(address + offset)
def put(offset, data): ctypes.memmove(address + offset, data, len(data))
end = time.monotonic() + ${TRIED_FOR}
def meanwhile(action):
    if os.fork() == 0:
        while time.monotonic() < end:
            for _ in range(200): action()
        os._exit(0)
def attempt(action):
    tries = 0
    while time.monotonic() < end:
        result = action(); tries += 1
        if result is not None and result >= 0:
            try:
                os.write(result, b"changed")
            except OSError: pass
            os.close(result)
    print("tried", tries > 0, flush=True)
def raw_open(path, base=-100): return libc.syscall(ctypes.c_long(${OPENAT}), base, path, 1)
`;

interface Race {
  /** What is prepared in the workspace before, as whoever runs the tests. */
  readonly setUp?: string;
  readonly script: string;
}

function fill({ workspace, user }: MachineScene, setUp: string): void {
  const made =
    "mkdir .git .git/sub d; echo protected > .git/HEAD; echo protected > .git/sub/HEAD; " +
    "echo free > HEAD; echo free > d/HEAD; " + (setUp || ":");
  const owned = user.id === undefined ? made : `${made}; chown -hR ${user.id}:${user.id} .`;
  const { success } = new Deno.Command("/bin/sh", { args: ["-ec", owned], cwd: workspace })
    .outputSync();
  assertEquals(success, true);
}

/** Tests that nothing protected is changed, however often it is tried. */
function testRace(name: string, { setUp = "", script }: Race): void {
  testOnMachines(`a race for ${name} is not won`, async (scene) => {
    fill(scene, setUp);
    const { stdout, stderr } = await scene.run(python(PRELUDE + script));
    assertEquals([stdout, stderr], ["tried True\n", ""]);
    for (const file of [".git/HEAD", ".git/sub/HEAD"]) {
      assertEquals(Deno.readTextFileSync(`${scene.workspace}/${file}`), "protected\n");
    }
    const names = Array.from(Deno.readDirSync(`${scene.workspace}/.git`), ({ name }) => name);
    assertEquals(names.sort(), ["HEAD", "sub"]);
  });
}

testRace("the path in memory", {
  script: `
put(0, b"d/HEAD\\0")
meanwhile(lambda: (put(0, b".git/HEAD\\0"), put(0, b"d/HEAD\\0")))
attempt(lambda: raw_open(at(0)))
`,
});

testRace("one byte of the path", {
  script: `
put(0, b"xgit/HEAD\\0")
meanwhile(lambda: (put(0, b"."), put(0, b"x")))
attempt(lambda: raw_open(at(0)))
`,
});

testRace("a directory that becomes a link", {
  setUp: "ln -s .git link",
  script: `
def exchange(): libc.syscall(ctypes.c_long(${RENAMEAT2}), -100, b"d", -100, b"link", 2)
meanwhile(exchange)
attempt(lambda: raw_open(b"d/HEAD"))
`,
});

testRace("a file that becomes a link", {
  setUp: "ln -s .git/HEAD flink",
  script: `
def exchange(): libc.syscall(ctypes.c_long(${RENAMEAT2}), -100, b"HEAD", -100, b"flink", 2)
meanwhile(exchange)
attempt(lambda: raw_open(b"HEAD"))
`,
});

testRace("the descriptor of a directory", {
  script: `
import threading
protected, free = os.open(".git", os.O_RDONLY), os.open("d", os.O_RDONLY)
os.dup2(free, 70)
def swap():
    while time.monotonic() < end:
        libc.dup2(protected, 70); libc.dup2(free, 70)
threading.Thread(target=swap).start()
attempt(lambda: raw_open(b"HEAD", 70))
`,
});

testRace("the working directory", {
  script: `
import threading
protected, free = os.open(".git", os.O_RDONLY), os.open("d", os.O_RDONLY)
def swap():
    while time.monotonic() < end:
        libc.fchdir(protected); libc.fchdir(free)
threading.Thread(target=swap).start()
attempt(lambda: raw_open(b"HEAD"))
`,
});

testRace("the target of a rename", {
  setUp: "mkdir names; ln -s ../.git names/.git; touch new",
  script: `
meanwhile(lambda: (put(0, b"names/x\\0"), put(0, b".git/new\\0"), put(0, b"new\\0")))
attempt(lambda: libc.syscall(ctypes.c_long(${RENAMEAT2}), -100, b"new", -100, at(0), 0) and None or None)
`,
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
