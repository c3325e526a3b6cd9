import { assertEquals, assertMatch } from "@std/assert";
import { special } from "../context.ts";
import type { LandlockScene } from "./landlock_scene.ts";
import { testLandlock } from "./landlock_scene.ts";

const READ_ALL = [special("root", "read")];

/** Runs a Python script; what it prints is all that counts. */
async function python(
  scene: LandlockScene,
  script: string,
  network: "restricted" | "enabled" = "restricted",
): Promise<string> {
  const { stdout, stderr } = await scene.run(["python3", "-c", PRELUDE + script], {
    entries: READ_ALL,
    network,
  });
  assertEquals(stderr, "");
  return stdout.trim();
}

/** `say(f)` prints "ok" or the name of the error that f raises. */
const PRELUDE = `
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def say(f):
    try: f(); print("ok")
    except OSError as e: print(errno.errorcode[e.errno])
def call(*a):
    if libc.syscall(*a) < 0: raise OSError(ctypes.get_errno(), "")
def need(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
`;

/** A process of the same user outside of the sandbox, for as long as the body runs. */
async function withBystander(
  { place }: LandlockScene,
  body: (pid: number) => Promise<void>,
): Promise<void> {
  const { id } = place.user;
  const child = new Deno.Command("sleep", {
    args: ["600"],
    ...id === undefined ? {} : { uid: id, gid: id },
  }).spawn();
  try {
    await body(child.pid);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

testLandlock("no privileges, nor by programs that give some", "", async (scene) => {
  await scene.host("cp /usr/bin/id id; chmod 4755 id");
  const { stdout: user } = await scene.run([`${scene.base}/id`, "-u"], { entries: READ_ALL });
  assertEquals(user, `${scene.place.user.id ?? Deno.uid()}\n`);
  const status = "grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):' /proc/self/status";
  const { stdout } = await scene.script(status, { entries: READ_ALL });
  assertEquals(
    stdout.replaceAll(/\s+/g, " ").trim(),
    "CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 " +
      "CapAmb: 0000000000000000 NoNewPrivs: 1 Seccomp: 2",
  );
});

testLandlock(
  "processes outside are out of reach",
  "",
  (scene) =>
    withBystander(scene, async (pid) => {
      const printed = await python(
        scene,
        `
say(lambda: os.kill(${pid}, signal.SIGTERM))
say(lambda: os.kill(${pid}, 0))
say(lambda: signal.pidfd_send_signal(os.pidfd_open(${pid}), signal.SIGTERM))
say(lambda: need(libc.ptrace(16, ${pid}, 0, 0)))
say(lambda: open("/proc/${pid}/environ").read())
say(lambda: open("/proc/${pid}/mem", "rb").read(1))
say(lambda: os.listdir("/proc/${pid}/root"))
say(lambda: open("/proc/${pid}/fd/0"))
say(lambda: need(libc.prlimit(${pid}, 0, ctypes.create_string_buffer(16), None)))
`,
      );
      assertMatch(printed.replaceAll("\n", " "), /^((EPERM|EACCES|ENOSYS) ?){9}$/);
    }),
);

testLandlock("its own processes are within reach", "", async (scene) => {
  const printed = await python(
    scene,
    `
child = os.fork()
if child == 0: signal.pause()
say(lambda: open(f"/proc/{child}/environ").read())
say(lambda: os.listdir(f"/proc/{child}/fd"))
say(lambda: os.kill(child, signal.SIGTERM))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
say(lambda: need(libc.prlimit(0, 7, None, ctypes.create_string_buffer(16))))
`,
  );
  assertEquals(printed.split("\n"), ["ok", "ok", "ok", "-15", "ok"]);
});

testLandlock("sockets of the host are out of reach", "", async (scene) => {
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using unix = Deno.listen({ transport: "unix", path: `${scene.base}/socket` });
  await Deno.chmod(`${scene.base}/socket`, 0o777);
  using abstract = Deno.listen({ transport: "unix", path: `\0remex-test-${Deno.pid}` });
  const printed = await python(
    scene,
    `
s = socket.socket(socket.AF_UNIX)
say(lambda: s.connect("${unix.addr.path}"))
say(lambda: s.connect("\\0remex-test-${Deno.pid}"))
say(lambda: s.bind("\\0remex-test-own"))
say(lambda: socket.create_connection(("127.0.0.1", ${tcp.addr.port})))
say(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
say(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
say(lambda: call(425, 1, ctypes.create_string_buffer(120)))
`,
  );
  assertEquals(abstract.addr.transport, "unix");
  assertEquals(printed.split("\n"), Array(7).fill("EPERM"));
});

testLandlock("where only the network is restricted, files are free", "", async (scene) => {
  const permissions = { type: "external", network: "restricted" };
  const script = "touch new && chmod 600 new && touch ../new && rm ../new; " +
    "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 1))'";
  const { exitCode, stderr } = await scene.script(script, { permissions });
  assertEquals(exitCode, 1);
  assertMatch(stderr, /^PermissionError: .* not permitted$/m);
  assertEquals(await scene.host("find . -name new"), "./ws/new\n");
});

testLandlock("an open network is open", "", async (scene) => {
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const printed = await python(
    scene,
    `
say(lambda: socket.create_connection(("127.0.0.1", ${tcp.addr.port})))
say(lambda: socket.create_server(("127.0.0.1", 0)))
`,
    "enabled",
  );
  assertEquals(printed.split("\n"), ["ok", "ok"]);
});

testLandlock("programs talk to their own children", "", async (scene) => {
  const printed = await python(
    scene,
    `
import multiprocessing, subprocess
ours, theirs = socket.socketpair()
if os.fork() == 0:
    theirs.sendall(b"pair"); os._exit(0)
print(ours.recv(9).decode())
mine, other = multiprocessing.Pipe()
process = multiprocessing.Process(target=lambda: other.send("pipe"))
process.start(); print(mine.recv()); process.join()
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout.strip())
`,
  );
  assertEquals(printed.split("\n"), ["pair", "pipe", "child"]);
});

testLandlock("shared memory of the host's other programs is out of reach", "", async (scene) => {
  const printed = await python(
    scene,
    `
say(lambda: need(libc.shmget(0x7e57, 4096, 0o1600)))
say(lambda: need(libc.semget(0x7e57, 1, 0o1600)))
say(lambda: need(libc.msgget(0x7e57, 0o1600)))
say(lambda: open("/dev/shm/remex-test", "w"))
`,
  );
  assertMatch(printed.replaceAll("\n", " "), /^((EPERM|EACCES) ?){4}$/);
});

testLandlock("only the standard streams are open", "", async (scene) => {
  const { stdout } = await scene.run(["ls", "/proc/self/fd"], { entries: READ_ALL });
  assertEquals(stdout.split("\n"), ["0", "1", "2", "3", ""]);
});
