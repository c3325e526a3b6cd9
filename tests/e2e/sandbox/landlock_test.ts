import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { path, special, type WireEntry, workspaceWrite } from "../../sandbox/context.ts";
import { canRunLandlock, WITHOUT_NAMESPACES } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, users } from "../../sandbox/linux/sandboxed_run.ts";
import { command, type Outcome, run, shell, start, waitForOutput } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { shareExecutor } from "../support/shared_executor.ts";
import { openWebSocket } from "../support/websocket_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { serveLoopback, unusedPort, writeAll } from "./support/http_proxy.ts";
import { managed } from "./support/managed.ts";
import { python, pythonActions } from "./support/python.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

interface Scene {
  readonly client: RawClient;
  readonly workspace: string;
}

/** Tests something as each user, on a host without user namespaces. */
function testLandlocked(name: string, body: (scene: Scene) => Promise<void>): void {
  if (!canRunLandlock || !canRunBubblewrap) return Deno.test.ignore(`Landlock: ${name}`, () => {});
  for (const user of users) {
    const { launcher = [] } = launchAs(user);
    const executor = shareExecutor({
      launcher: [...launcher, ...WITHOUT_NAMESPACES],
      env: { PATH: "/usr/bin:/bin", HOME: "/", REMEX_TEST_SECRET: "1" },
    });
    Deno.test(`Landlock: ${name}, as ${user.name}`, async () => {
      using directory = new TemporaryDirectory();
      const workspace = `${directory.path}/ws`;
      Deno.mkdirSync(workspace);
      for (const path of [directory.path, workspace]) {
        if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
      }
      await executor.withClient((client) => body({ client, workspace }));
    });
  }
}

/** Members of `process/start` that enclose a command in a workspace. */
function enclosed(workspace: string, entries: readonly WireEntry[] = [special("root", "read")]) {
  const fileSystem = { type: "restricted", entries };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const { cwd, sandbox } = enclosedIn(workspace);
  return { cwd, sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions } };
}

function sandboxDenied({ events }: Outcome): unknown {
  const exited = events.find(({ method }) => method === "process/exited");
  return isRecord(exited?.params) ? exited.params.sandboxDenied : undefined;
}

/** What a start is refused with. */
async function refusal(client: RawClient, params: Message): Promise<string> {
  const { error } = await client.request("process/start", params);
  assertEquals(isRecord(error) && error.code, -32603);
  return isRecord(error) ? String(error.message) : "";
}

testLandlocked("a command runs enclosed", async ({ client, workspace }) => {
  const more: Message = enclosed(workspace);
  const { result } = await client.request("process/start", command("p", ["/bin/true"], more));
  assertEquals(result, { processId: "p", sandboxType: "linuxSeccomp" });
  await client.events("p");
  const outcome = await run(client, shell("q", "echo out > /dev/stdout; echo x > new", more));
  assertEquals([outcome.stdout, outcome.exitCode, sandboxDenied(outcome)], ["out\n", 2, true]);
  assertEquals(exists(`${workspace}/new`), false);
});

testLandlocked("what is granted is what is there when a command starts", async (scene) => {
  const { client, workspace } = scene;
  const granted = `${workspace}/granted`;
  const more = enclosed(workspace, [special("minimal", "read"), path(granted, "read")]);
  const read = async (id: string, file: string) => {
    const { stdout, exitCode } = await run(client, command(id, ["/bin/cat", file], more));
    return exitCode === 0 ? stdout : "denied";
  };
  Deno.mkdirSync(granted);
  Deno.writeTextFileSync(`${granted}/file`, "first");
  assertEquals(await read("p", `${granted}/file`), "first");
  // The threads that have started the first command are still there.
  Deno.renameSync(granted, `${workspace}/private`);
  Deno.writeTextFileSync(`${workspace}/private/file`, "secret");
  Deno.mkdirSync(granted);
  Deno.writeTextFileSync(`${granted}/file`, "second");
  assertEquals(await read("q", `${workspace}/private/file`), "denied");
  assertEquals(await read("r", `${granted}/file`), "second");
});

testLandlocked("names in what may be written stay read-only", async ({ client, workspace }) => {
  const more = enclosedIn(workspace);
  const made = await run(client, shell("p", "echo x > new && mkdir .git", more));
  assertEquals([made.exitCode, sandboxDenied(made)], [1, true]);
  assertEquals(Array.from(Deno.readDirSync(workspace), ({ name }) => name), ["new"]);
});

testLandlocked("the ports of a managed network, and nothing else", async (scene) => {
  const { client, workspace } = scene;
  using named = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using named6 = Deno.listen({ hostname: "::1", port: 0 });
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using unix = Deno.listen({ transport: "unix", path: `${workspace}/socket` });
  Deno.chmodSync(`${workspace}/socket`, 0o777);
  const [port, port6] = [named.addr.port, named6.addr.port];
  const own = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && address !== "127.0.0.1"
  )?.address ?? "192.0.2.1";
  const script = python(`
say(lambda: connect(("127.0.0.1", ${port})))
say(lambda: connect(("::1", ${port6}), socket.AF_INET6))
say(lambda: connect(("::ffff:127.0.0.1", ${port}), socket.AF_INET6))
def blocking():
    with socket.socket() as client:
        client.connect(("127.0.0.1", ${port})); client.getpeername()
        print(client.getblocking(), fcntl.fcntl(client, fcntl.F_GETFL) & os.O_NONBLOCK)
say(blocking)
say(lambda: connect(("127.0.0.1", ${other.addr.port})))
say(lambda: connect(("127.0.0.2", ${port})))
say(lambda: connect(("${own}", ${port})))
say(lambda: connect("${unix.addr.path}", socket.AF_UNIX))
say(lambda: connect(("127.0.0.1", ${port}), kind=socket.SOCK_DGRAM))
say(lambda: socket.create_server(("127.0.0.1", 0)))
say(lambda: call(${Deno.build.arch === "aarch64" ? 203 : 42}, 0, ctypes.c_void_p(8), 16))
`);
  const more = { ...enclosed(workspace), ...managed([port, port6]) };
  const { stdout, stderr } = await run(client, command("p", script, more));
  assertEquals(stderr, "");
  assertEquals(stdout.split("\n").slice(0, -1), [
    ...["ok", "EPERM", "ok", "True 0", "ok"],
    ...Array(6).fill("EPERM"),
    "EFAULT",
  ]);
});

testLandlocked("sockets of a managed network are like others", async ({ client, workspace }) => {
  await using server = serveLoopback(async (connection, requests) => {
    for await (const bytes of connection.readable) requests.push(new TextDecoder().decode(bytes));
  });
  const free = unusedPort();
  const script = python(`
import asyncio
address = ("127.0.0.1", ${server.port})
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
copy = client.dup()
say(lambda: client.connect(("127.0.0.1", 1)))
say(lambda: client.connect(("127.0.0.1", ${free})))
say(lambda: client.connect(address))
say(lambda: client.connect(address))
print(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), copy.get_inheritable())
client.close(); copy.sendall(b"copy"); copy.shutdown(socket.SHUT_WR); print(copy.recv(9)); copy.close()
many = [socket.socket() for _ in range(300)]
many[-1].connect(address); many[-1].sendall(b"last"); many[-1].shutdown(socket.SHUT_WR); print(many[-1].recv(9))
async def talk():
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"later"); writer.write_eof(); print(await reader.read())
asyncio.run(talk())
raw = struct.pack("=H", socket.AF_INET) + struct.pack("!H", address[1]) + bytes([127, 0, 0, 1]) + bytes(8)
for descriptor in (1, 999):
    say(lambda: [][libc.connect(descriptor, raw, 16) + 1:] or (_ for _ in ()).throw(OSError(ctypes.get_errno(), "")))
`);
  const more = { ...enclosed(workspace), ...managed([server.port, free]) };
  const { stdout, stderr } = await run(client, command("p", script, more));
  assertEquals(stderr, "");
  assertEquals(stdout.split("\n").slice(0, -1), [
    ...["EPERM", "ECONNREFUSED", "ok", "EISCONN", "1 False", "b''", "b''", "b''"],
    ...["ENOTSOCK", "EBADF"],
  ]);
  // What is read ends when nobody has the socket any more: the supervisor keeps none of these.
  assertEquals(server.requests, ["copy", "last", "later"]);
});

testLandlocked("a race for another port is not won", async ({ client, workspace }) => {
  await using named = serveLoopback((connection) => writeAll(connection, "named"));
  await using other = serveLoopback((connection) => writeAll(connection, "other"));
  const script = python(`
import mmap, time
shared = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(shared))
allowed, denied = (struct.pack("!H", port) for port in (${named.port}, ${other.port}))
whole = struct.pack("=H", socket.AF_INET) + allowed + bytes([127, 0, 0, 1]) + bytes(8)
ctypes.memmove(address, whole, 16)
end = time.monotonic() + 3
if os.fork() == 0:
    while time.monotonic() < end:
        for _ in range(200): ctypes.memmove(address + 2, denied, 2); ctypes.memmove(address + 2, allowed, 2)
    os._exit(0)
peers = set()
while time.monotonic() < end:
    with socket.socket() as client:
        if libc.connect(client.fileno(), ctypes.c_void_p(address), 16) == 0: peers.add(client.getpeername()[1])
print(peers <= {${named.port}}, flush=True)
`);
  const more = { ...enclosed(workspace), ...managed([named.port]) };
  const { stdout, stderr } = await run(client, command("p", script, more));
  assertEquals([stdout, stderr], ["True\n", ""]);
});

testLandlocked("without its details a managed network is none", async ({ client, workspace }) => {
  const script = python("say(lambda: connect(('127.0.0.1', 1)))");
  const more = { ...enclosed(workspace), enforceManagedNetwork: true };
  assertEquals((await run(client, command("p", script, more))).stdout, "EPERM\n");
});

testLandlocked("what cannot be executed is refused", async ({ client, workspace }) => {
  Deno.writeTextFileSync(`${workspace}/broken`, "\x7fELF nothing", { mode: 0o755 });
  const message = await refusal(
    client,
    command("p", [`${workspace}/broken`], enclosed(workspace)),
  );
  assertMatch(message, /\/broken: .*\(os error \d+\)$/);
});

testLandlocked("an interrupt reaches the command's own handler", async ({ client, workspace }) => {
  const script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.01; done";
  await client.request("process/start", shell("p", script, enclosed(workspace)));
  await waitForOutput(client, "p", "ready");
  await client.request("process/signal", { processId: "p", signal: "interrupt" });
  const events = await client.events("p");
  assertObjectMatch(events.at(-2) ?? {}, { method: "process/exited", params: { exitCode: 7 } });
});

Deno.test({
  name:
    "Landlock: commands of different clients with the same policy are out of each other's reach",
  ignore: !canRunLandlock || !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    // Landlock alone keeps processes of the same user apart.
    const user = users.at(-1) ?? users[0];
    if (user?.id !== undefined) Deno.chownSync(directory.path, user.id, user.id);
    const launcher = [...user && launchAs(user).launcher || [], ...WITHOUT_NAMESPACES];
    await using executor = await ListeningExecutor.start({ launcher });
    await using one = await openWebSocket(executor.url);
    await using other = await openWebSocket(executor.url);
    const more = enclosedIn(directory.path);
    // As a daemon does it: nothing is left but a process of its own session.
    await start(one, shell("p", "setsid sh -c 'echo $$; exec sleep 600' &", more));
    const [pid] = (await waitForOutput(one, "p", "\n")).split("\n");
    const attacks = pythonActions([
      `os.kill(${pid}, 0)`,
      `os.kill(${pid}, signal.SIGTERM)`,
      `signal.pidfd_send_signal(os.pidfd_open(${pid}), signal.SIGTERM)`,
      `open("/proc/${pid}/environ").read()`,
      `open("/proc/${pid}/mem", "rb")`,
      `os.listdir("/proc/${pid}/root/")`,
      `os.readlink("/proc/${pid}/fd/1")`,
    ]);
    const { stdout } = await run(other, command("q", attacks, more));
    assertMatch(stdout, /^((EPERM|EACCES|ENOSYS)\n){7}$/);
    // Those of the same client are not.
    const own = pythonActions([`open("/proc/${pid}/environ").read()`, `os.kill(${pid}, 15)`]);
    assertEquals((await run(one, command("r", own, more))).stdout, "ok\nok\n");
    await one.events("p");
  },
});

testLandlocked("the command has its terminal", async ({ client, workspace }) => {
  const script = "stty size; tty; echo x > $(tty); exec 3<>/dev/tty && echo y >&3; ps -o stat= $$";
  const terminalSize = { rows: 11, cols: 77 };
  const { pty, exitCode } = await run(
    client,
    shell("p", script, { ...enclosed(workspace), tty: true, terminalSize }),
  );
  assertEquals(exitCode, 0);
  assertMatch(pty, /^11 77\r\n\/dev\/pts\/\d+\r\nx\r\ny\r\nSs\+\r\n$/);
});

const ALL_FILES = [special("root", "write")];

testLandlocked("what is opened on a command's behalf is not the executor's", async (scene) => {
  const { client, workspace } = scene;
  // Every open is handed over.
  const entries = [...workspaceWrite, path(`${workspace}/denied`, "deny")];
  const script = python(`
import threading
def environment(path, **options):
    descriptor = os.open(path, os.O_RDONLY, **options)
    text = os.read(descriptor, 65536)
    os.close(descriptor)
    if b"REMEX_TEST_SECRET" in text: print("LEAK", path)
    if b"OWN_VARIABLE" not in text: raise OSError(errno.EIO, "")
os.symlink("/proc/self/environ", "link")
os.symlink("/proc/thread-self", "directory")
inside = os.open("/proc/self", os.O_PATH)
parent = os.getppid()
say(lambda: environment("/proc/self/environ"))
say(lambda: environment("/proc/thread-self/environ"))
say(lambda: environment("link"))
say(lambda: environment("directory/environ"))
say(lambda: environment("environ", dir_fd=inside))
say(lambda: environment(f"/proc/self/../{os.getpid()}/environ"))
say(lambda: environment("/proc/self/root/proc/self/environ"))
print("others", flush=True)
for name in ["environ", "mem", "maps", "root/etc/hostname", "cwd/file", "fd/0", "task"]:
    say(lambda: os.open(f"/proc/{parent}/{name}", os.O_RDONLY))
# Its threads, among others.
for thread in range(parent, parent + 40):
    for name in [f"/proc/{thread}/environ", f"/proc/{parent}/task/{thread}/environ"]:
        try: environment(name)
        except OSError: pass
`);
  const env = { PATH: "/usr/bin:/bin", OWN_VARIABLE: "1" };
  const { stdout, stderr } = await run(
    client,
    command("p", script, { ...enclosed(workspace, entries), env }),
  );
  assertEquals(stderr, "");
  const [own = "", others = ""] = stdout.split("others\n");
  assertEquals(own, "ok\n".repeat(7));
  assertMatch(others, /^(EACCES\n){7}$/);
});

/** Tries to reach the thread that has started it, and says what it can do. */
const REACH_FOR_THREADS = python(`
parent = os.getppid()
# Where others' processes are out of sight they can still be guessed.
try: threads = [int(name) for name in os.listdir(f"/proc/{parent}/task")]
except OSError: threads = [number for number in range(parent, parent + 60) if number != os.getpid()]
x86 = os.uname().machine == "x86_64"
RT_SIGQUEUEINFO, RT_TGSIGQUEUEINFO = (129, 297) if x86 else (138, 240)
TKILL, TGKILL = (200, 234) if x86 else (130, 131)
PIDFD_SEND_SIGNAL, PIDFD_OPEN, PIDFD_THREAD = 424, 434, os.O_EXCL
F_SETOWN_EX, FIOSETOWN, SIOCSPGRP = 15, 0x8901, 0x8902
info = ctypes.create_string_buffer(struct.pack("iii", 0, 0, -1) + bytes(116))
def can(name, action):
    try: action()
    except OSError: return
    print(name, flush=True)
def by_descriptor(descriptor): call(PIDFD_SEND_SIGNAL, descriptor, 0, None, 0)
for thread in threads:
    for place in [f"/proc/{thread}", f"/proc/{parent}/task/{thread}"]:
        for name in ["environ", "mem", "maps", "root/etc/hostname", "cwd/.", "fd/0", "fd/1", "ns/mnt"]:
            can(name, lambda: os.open(f"{place}/{name}", os.O_RDONLY))
        can("names of files", lambda: os.readlink(f"{place}/fd/0"))
        can("directory", lambda: by_descriptor(os.open(place, os.O_RDONLY)))
    can("kill", lambda: os.kill(thread, 0))
    can("tkill", lambda: call(TKILL, thread, 0))
    can("tgkill", lambda: call(TGKILL, parent, thread, 0))
    can("rt_sigqueueinfo", lambda: call(RT_SIGQUEUEINFO, thread, 0, info))
    can("rt_tgsigqueueinfo", lambda: call(RT_TGSIGQUEUEINFO, parent, thread, 0, info))
    can("pidfd_open", lambda: by_descriptor(call(PIDFD_OPEN, thread, PIDFD_THREAD)))
# SIGIO ends whoever has not asked for it.
def owned_by(thread, name):
    pair = socket.socketpair()
    if name == "fcntl": fcntl.fcntl(pair[0], fcntl.F_SETOWN, thread)
    elif name == "both": fcntl.fcntl(pair[0], F_SETOWN_EX, struct.pack("ii", 0, thread))
    else: fcntl.ioctl(pair[0], name, struct.pack("i", thread))
    fcntl.fcntl(pair[0], fcntl.F_SETFL, os.O_ASYNC)
    pair[1].send(b"x")
for thread in threads:
    for name in ["fcntl", "both", FIOSETOWN, SIOCSPGRP]:
        try: owned_by(thread, name)
        except OSError: pass
print(f"{len(threads) > 1} {os.kill(os.getpid(), 0)}")
`);

testLandlocked(
  "the executor's threads are out of reach, those that start commands too",
  async (scene) => {
    const { client, workspace } = scene;
    Deno.writeTextFileSync(`${workspace}/denied`, "");
    const policies = {
      "what may read": enclosed(workspace),
      "what may write": enclosedIn(workspace),
      "what is denied something": enclosedIn(workspace, [path(`${workspace}/denied`, "deny")]),
    };
    for (const [which, more] of Object.entries(policies)) {
      const { stdout, stderr } = await run(client, command(which, REACH_FOR_THREADS, more));
      assertEquals({ which, stdout, stderr }, { which, stdout: "True None\n", stderr: "" });
    }
  },
);

testLandlocked("no way around what stays read-only by the kernel's favours", async (scene) => {
  const { client, workspace } = scene;
  Deno.mkdirSync(`${workspace}/.git`);
  Deno.chmodSync(`${workspace}/.git`, 0o777);
  const [clone, ioctl] = Deno.build.arch === "aarch64" ? [220, 29] : [56, 16];
  const script = python(`
import resource
open("file", "w").close()
CLONE_PARENT = 0x8000
def version(path):
    descriptor = os.open(path, os.O_RDONLY)
    number = ctypes.c_long(0)
    # The one that it has, if the file system tells.
    libc.syscall(${ioctl}, descriptor, ctypes.c_ulong(0x80087601), ctypes.byref(number))
    call(${ioctl}, descriptor, ctypes.c_ulong(0x40087602), ctypes.byref(number))
say(lambda: call(${clone}, CLONE_PARENT | signal.SIGCHLD, None, None, None, None))
say(lambda: version("file"))
say(lambda: version("/bin/sh"))
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
for limit in [(1, 1), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)]:
    try: resource.setrlimit(resource.RLIMIT_CORE, limit); print("set")
    except (OSError, ValueError): print("refused")
os.chdir(".git")
child = os.fork()
if child == 0: os.abort()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.listdir("."))
`);
  const entries = [...workspaceWrite];
  const { stdout, stderr } = await run(client, command("p", script, enclosed(workspace, entries)));
  assertEquals([stderr, stdout], ["", "EPERM\nEPERM\nEPERM\n0\nrefused\nrefused\n-6 []\n"]);
});

testLandlocked("devices stay as they are, whatever may be written", async (scene) => {
  const { client, workspace } = scene;
  const mode = (Deno.statSync("/dev/null").mode ?? 0o666) & 0o7777;
  const script = pythonActions([
    `os.chmod("/dev/null", ${mode})`,
    `os.fchmod(0, ${mode})`,
    `os.fchmod(os.open("/dev/null", os.O_RDWR), ${mode})`,
    `os.chown("/dev/null", os.stat("/dev/null").st_uid, os.stat("/dev/null").st_gid)`,
    `os.utime("/dev/null", ns=(os.stat("/dev/null").st_atime_ns, os.stat("/dev/null").st_mtime_ns))`,
    `os.setxattr("/dev/null", "user.test", b"x")`,
    `write("/dev/null")`,
  ]);
  const grants = [
    { type: "restricted", entries: ALL_FILES },
    { type: "restricted", entries: [...ALL_FILES, path(`${workspace}/read`, "read")] },
    { type: "unrestricted" },
  ];
  for (const [index, fileSystem] of grants.entries()) {
    const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
    const { sandbox, cwd } = enclosed(workspace);
    const more = { cwd, sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions } };
    const { stdout } = await run(client, command(`p${index}`, script, more));
    assertMatch(stdout, /^((EPERM|EACCES|EROFS)\n){6}ok\n$/);
  }
});

testLandlocked("a command's own filters and listeners change nothing", async (scene) => {
  const { client, workspace } = scene;
  const [prctl, seccomp, mkdirat] = Deno.build.arch === "aarch64"
    ? [167, 277, 34]
    : [157, 317, 258];
  const script = python(`
# struct sock_filter: whatever is called is let through, or handed over to whoever listens.
def program(verdict):
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, verdict))
    return instruction, ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(instruction)))
def enforce(flags, verdict):
    instruction, whole = program(verdict)
    call(${seccomp}, 1, ctypes.c_ulong(flags), whole)
NEW_LISTENER, ALLOW = 8, 0x7fff0000
say(lambda: enforce(NEW_LISTENER, ALLOW))
say(lambda: enforce(0, ALLOW))
say(lambda: call(${mkdirat}, -100, b".git", 0o777))
say(lambda: call(${mkdirat}, -100, b"made", 0o777))
say(lambda: call(${prctl}, 22, 0, None))
say(lambda: call(${prctl}, 38, 0, 0, 0, 0))
`);
  const { stdout, stderr } = await run(
    client,
    command("p", script, enclosed(workspace, workspaceWrite)),
  );
  assertEquals([stderr, stdout], ["", "EBUSY\nok\nEROFS\nok\nEINVAL\nEINVAL\n"]);
});
