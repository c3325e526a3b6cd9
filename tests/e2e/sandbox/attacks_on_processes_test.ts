import { assertEquals } from "@std/assert";
import { call, testAttack } from "./support/attacks.ts";
import { testOnMachines } from "./support/machines.ts";
import { python, pythonActions } from "./support/python.ts";

const CLONE_NEWUSER = 0x1000_0000;
const NAMESPACES = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

testAttack("nested namespaces", ({ outside }, { pid }) => ({
  attacks: [
    ...[CLONE_NEWUSER, 0x2_0000, 0x4000_0000, 0x2000_0000, 0x400_0000, 0x80]
      .map((flag) => call("unshare", `${flag}`)),
    call("clone", `${CLONE_NEWUSER | 17}`, "None", "None", "None", "None"),
    call("clone3", "ctypes.create_string_buffer(88)", "88"),
    ...NAMESPACES.map((name) =>
      call("setns", `os.open("/proc/self/ns/${name}", os.O_RDONLY)`, "0")
    ),
    call("setns", `os.pidfd_open(${pid})`, `${CLONE_NEWUSER}`),
    `succeed("unshare", "-Ur", "true")`,
    `succeed("bwrap", "--unshare-user", "--bind", "/", "/", "touch", "${outside}/new")`,
  ],
  within: [
    `os.waitpid(os.fork() or os._exit(0), 0)`,
    `subprocess.run(["true"], check=True)`,
    `__import__("threading").Thread(target=print, args=("",), kwargs={"end": ""}).start()`,
  ],
}));

const PTRACE_ATTACH = 16;
const PTRACE_SEIZE = 0x4206;

testAttack("other processes' memory", (_, { pid }) => ({
  attacks: [
    call("ptrace", `${PTRACE_ATTACH}`, `${pid}`, "0", "0"),
    call("ptrace", `${PTRACE_SEIZE}`, `${pid}`, "0", "0"),
    call("ptrace", "0", "0", "0", "0"),
    call("process_vm_readv", `${pid}`, "None", "0", "None", "0", "0"),
    call("process_vm_writev", `${pid}`, "None", "0", "None", "0", "0"),
    call("kcmp", `${pid}`, "os.getpid()", "0", "0", "0"),
    `open("/proc/${pid}/mem", "r+b")`,
    `open("/proc/${pid}/environ").read()`,
    `os.readlink("/proc/${pid}/exe")`,
  ],
  within: [`open("/proc/self/mem", "rb")`, `open("/proc/self/environ").read()`],
}));

testAttack("io_uring", () => ({
  attacks: [
    call("io_uring_setup", "8", "ctypes.create_string_buffer(120)"),
    call("io_uring_enter", "0", "1", "0", "0", "None", "0"),
    call("io_uring_register", "0", "0", "None", "0"),
  ],
  within: [`open("file").read()`],
}));

testAttack("signals", ({ mechanism }, { pid }) => ({
  attacks: [
    `os.kill(${pid}, 0)`,
    `os.kill(${pid}, signal.SIGCONT)`,
    `os.kill(${pid}, signal.SIGTERM)`,
    `signal.pidfd_send_signal(os.pidfd_open(${pid}), signal.SIGTERM)`,
    `os.killpg(os.getpgid(${pid}), 0)`,
    `any_of([lambda: ctypes.get_errno() if libc.tgkill(${pid}, ${pid}, 15) == 0 else` +
    ` (_ for _ in ()).throw(OSError(ctypes.get_errno(), ""))])`,
    `any_of([lambda: 0 if libc.sigqueue(${pid}, 15, None) == 0 else` +
    ` (_ for _ in ()).throw(OSError(ctypes.get_errno(), ""))])`,
    // The executor; a bubblewrap sandbox has a first process of its own.
    ...mechanism === "landlock" ? ["os.kill(os.getppid(), 0)", "os.kill(1, 0)"] : [],
  ],
  within: [
    `os.kill(os.getpid(), 0)`,
    `subprocess.Popen(["sleep", "100"]).kill()`,
    `os.killpg(0, 0)`,
  ],
}));

testOnMachines("no way out by sockets of the host", async (scene) => {
  const { workspace, user } = scene;
  const socketPath = `${workspace}/socket`;
  using stream = Deno.listen({ transport: "unix", path: socketPath });
  const abstractName = `remex-attack-${crypto.randomUUID()}`;
  using abstract = Deno.listen({ transport: "unix", path: `\0${abstractName}` });
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assertEquals([stream.addr.transport, abstract.addr.transport], ["unix", "unix"]);
  if (user.id !== undefined) Deno.chownSync(socketPath, user.id, user.id);
  const attacks = [
    `connect("${socketPath}", socket.AF_UNIX)`,
    `connect("\\0${abstractName}", socket.AF_UNIX)`,
    `connect(("127.0.0.1", ${tcp.addr.port}))`,
    `socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind("\\0own-${abstractName}")`,
    `socket.socket(socket.AF_UNIX).bind("own")`,
    `socket.create_server(("127.0.0.1", 0))`,
    `socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)`,
    `socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)`,
  ];
  const bare = await scene.run(pythonActions(attacks), { sandbox: null });
  assertEquals(bare.stdout, "ok\n".repeat(attacks.length));
  Deno.removeSync(`${workspace}/own`);
  const { stdout } = await scene.run(pythonActions(attacks));
  assertEquals(stdout, "EPERM\n".repeat(attacks.length));
  const pair = `
ours, theirs = socket.socketpair()
if os.fork() == 0: theirs.sendall(b"pair"); os._exit(0)
print(ours.recv(9).decode())
`;
  assertEquals((await scene.run(python(pair))).stdout, "pair\n");
});

/** Leaves descriptors open: one to write by, one to list by, a socket's two ends. */
const LEAVES_OPEN = `
import os, socket, sys
for descriptor in [os.open(sys.argv[1] + "/secret", os.O_RDWR), os.open(sys.argv[1], os.O_RDONLY),
                   *(end.detach() for end in socket.socketpair())]:
    os.dup2(descriptor, descriptor + 20)
os.execv(sys.argv[2], sys.argv[2:])
`;

testOnMachines("no way out by inherited descriptors", async (scene) => {
  const { stdout, stderr } = await scene.run(python(`
import resource
for descriptor in range(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 4096)):
    try: print(descriptor, os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError: pass
`));
  assertEquals([stderr, stdout], ["", ""]);
  const tty = await scene.run(["/bin/ls", "/proc/self/fd"], { tty: true });
  assertEquals(tty.pty.trim().split(/\s+/), ["0", "1", "2", "3"]);
}, { through: (outside) => ["/usr/bin/python3", "-c", LEAVES_OPEN, outside] });

testOnMachines("no way out by typing into the terminal", async (scene) => {
  const script = python(`
def type_in(request):
    fcntl.ioctl(0, request, b"x")
def disguised(request):
    if libc.ioctl(0, ctypes.c_ulong(request | 1 << 32), b"x") != 0:
        raise OSError(ctypes.get_errno(), "")
say(lambda: type_in(0x5412))
say(lambda: disguised(0x5412))
say(lambda: type_in(0x541c))
print(struct.unpack("HH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))[:4]))
say(lambda: termios.tcsetattr(0, termios.TCSANOW, termios.tcgetattr(0)))
`);
  const more = { tty: true, terminalSize: { rows: 10, cols: 20 } };
  const { pty } = await scene.run(script, more);
  assertEquals(pty.split("\r\n"), ["EPERM", "EPERM", "EPERM", "(10, 20)", "ok", ""]);
});
