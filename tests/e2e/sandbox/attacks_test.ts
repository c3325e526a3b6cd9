import { assertEquals, assertMatch } from "@std/assert";
import { shippedSeccompProfile } from "../../../src/sandbox/linux/seccomp_profile.ts";
import { path, special } from "../../sandbox/context.ts";
import { command } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";
import { python, pythonActions } from "./support/python.ts";

/** A process of the same user outside of the sandbox, with a file open that it may not touch. */
interface Bystander extends AsyncDisposable {
  readonly pid: number;
}

interface Attack {
  /** Python expressions that must fail, each of them. */
  readonly attacks: readonly string[];
  /** The same where it is granted: each of them must work. */
  readonly within: readonly string[];
  /** Whether the attacks work without a sandbox, so that it is the sandbox that stops them. */
  readonly worksBare?: boolean;
}

/** Numbers of system calls on this machine. */
const numbers = new Map(
  Object.values(shippedSeccompProfile().sections).flat()
    .map((rule) => [rule.call, rule[Deno.build.arch]]),
);

/** A system call, in Python. */
function call(name: string, ...values: string[]): string {
  return `call(${[numbers.get(name), ...values].join(", ")})`;
}

async function standBy({ user, outside }: MachineScene): Promise<Bystander> {
  const { id } = user;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `exec 7<>${outside}/secret; echo ready; exec sleep 600`],
    ...id === undefined ? {} : { uid: id, gid: id },
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      await reader.cancel();
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Everything that an attack could change. */
function stateOf({ outside }: MachineScene, { pid }: Bystander) {
  const files = Array.from(Deno.readDirSync(outside), ({ name }) => {
    const { mode, mtime, size, nlink, ino } = Deno.lstatSync(`${outside}/${name}`);
    return { name, mode, mtime, size, nlink, ino };
  });
  const running = /^State:\s+S/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  return { files, secret: Deno.readTextFileSync(`${outside}/secret`), running };
}

function testAttack(
  name: string,
  attack: (scene: MachineScene, bystander: Bystander) => Attack,
): void {
  testOnMachines(`no way out by ${name}`, async (scene) => {
    await using bystander = await standBy(scene);
    const { attacks, within, worksBare = false } = attack(scene, bystander);
    const before = stateOf(scene, bystander);
    if (worksBare) {
      const bare = await scene.run(pythonActions(attacks), { sandbox: null });
      assertEquals([bare.stderr, bare.stdout], ["", "ok\n".repeat(attacks.length)]);
    }
    const start = worksBare ? stateOf(scene, bystander) : before;
    const { stdout, stderr } = await scene.run(pythonActions(attacks));
    assertEquals(stderr, "");
    const outcomes = stdout.split("\n").slice(0, -1);
    assertEquals(outcomes.length, attacks.length);
    const worked = attacks.filter((_, index) => !/^E[A-Z]+$/.test(outcomes[index] ?? ""));
    assertEquals(worked, []);
    assertEquals(stateOf(scene, bystander), start);
    const inside = await scene.run(pythonActions(within));
    assertEquals([inside.stderr, inside.stdout], ["", "ok\n".repeat(within.length)]);
  });
}

testAttack("symbolic links", ({ outside }) => ({
  attacks: [
    `os.symlink("${outside}/secret", "l1") or write("l1")`,
    `os.symlink("${outside}", "l2") or write("l2/new")`,
    `os.symlink("../outside", "l3") or os.mkdir("l3/new")`,
    `os.symlink("/proc/self/root${outside}/secret", "l4") or write("l4")`,
  ],
  within: [`os.symlink("file", "l5") or write("l5")`, `os.symlink(".", "l6") or write("l6/new")`],
}));

testAttack("renames", ({ outside, workspace }) => ({
  attacks: [
    `os.rename("${outside}", "in")`,
    `os.rename("${outside}/secret", "in")`,
    `os.rename("file", "${outside}/new")`,
    `os.rename("file", "${outside}/secret")`,
    `os.rename("${workspace}", "${outside}/moved")`,
    `os.rename("${workspace}", "${workspace}-moved")`,
    // An exchange of the two (RENAME_EXCHANGE).
    `any_of([lambda: [][libc.renameat2(-100, b"file", -100, b"${outside}/secret", 2) + 1:]` +
    ` or (_ for _ in ()).throw(OSError(ctypes.get_errno(), ""))])`,
  ],
  within: [
    `os.rename("file", "b") or os.rename("b", "file")`,
    `os.mkdir("d") or os.rename("d", "e")`,
  ],
}));

testAttack("hard links", ({ outside }) => ({
  attacks: [
    `os.link("${outside}/secret", "h1")`,
    `os.link("file", "${outside}/new")`,
    `os.link(f"/proc/self/fd/{os.open('${outside}/secret', os.O_RDONLY)}", "h2", follow_symlinks=True)`,
  ],
  within: [`os.link("file", "h3") or write("h3")`],
}));

testAttack("parent directories", ({ outside }) => ({
  attacks: [
    `write("../outside/new")`,
    `write("./.././outside/secret")`,
    `os.mkdir("sub") or write("sub/../../outside/new")`,
    `os.unlink("../outside/secret")`,
    `os.truncate("${outside}/secret", 0)`,
    `os.chmod("../outside/secret", 0o600)`,
    `os.utime("../outside/secret")`,
  ],
  within: [`write("sub/../file")`, `write("../ws/new")`],
}));

testAttack("the roots of processes", ({ outside, workspace }, { pid }) => ({
  attacks: [
    `write("/proc/self/root${outside}/new")`,
    `write("/proc/thread-self/root${outside}/new")`,
    `write("/proc/self/cwd/../outside/new")`,
    `write("/proc/${pid}/root${outside}/new")`,
    `write("/proc/${pid}/cwd${outside}/new")`,
    `any_of([lambda p=p: write(p + "${outside}/new") for p in glob.glob("/proc/[0-9]*/root")])`,
    `any_of([lambda p=p: write(p + "${outside}/new") for p in glob.glob("/proc/[0-9]*/task/*/root")])`,
  ],
  within: [`write("/proc/self/root${workspace}/file")`, `write("/proc/self/cwd/file")`],
}));

testAttack("descriptors of processes", ({ outside }, { pid }) => ({
  attacks: [
    `open("/proc/${pid}/fd/7", "r+")`,
    `open(f"/proc/self/fd/{os.open('${outside}/secret', os.O_RDONLY)}", "r+")`,
    `open(f"/dev/fd/{os.open('${outside}/secret', os.O_PATH)}", "r+")`,
    `any_of([lambda f=f: open(f, "r+") for f in glob.glob("/proc/[0-9]*/fd/*")` +
    ` if not f.startswith(f"/proc/{os.getpid()}/")])`,
    call("pidfd_getfd", `os.pidfd_open(${pid})`, "7", "0"),
  ],
  within: [`open(f"/proc/self/fd/{os.open('file', os.O_RDONLY)}", "r+")`],
}));

const MS_REMOUNT_BIND = 0x1020;
const MS_BIND = 0x1000;

testAttack("mounts", ({ outside, workspace }) => ({
  attacks: [
    call("mount", `b"none"`, `b"/"`, "None", `${MS_REMOUNT_BIND}`, "None"),
    call("mount", `b"none"`, `b"${workspace}"`, "None", `${MS_REMOUNT_BIND}`, "None"),
    call("mount", `b"${outside}"`, `b"${workspace}"`, "None", `${MS_BIND}`, "None"),
    call("mount", `b"none"`, `b"${workspace}"`, `b"tmpfs"`, "0", "None"),
    call("umount2", `b"${workspace}"`, "2"),
    call("umount2", `b"/proc"`, "2"),
    call("pivot_root", `b"${workspace}"`, `b"${workspace}"`),
    call("chroot", `b"${workspace}"`),
    call("open_tree", "-100", `b"${outside}"`, "1"),
    call("move_mount", "-100", `b"${outside}"`, "-100", `b"${workspace}"`, "0"),
    call("fsopen", `b"tmpfs"`, "0"),
    call("fsmount", "0", "0", "0"),
    call("fspick", "-100", `b"/"`, "0"),
    call("mount_setattr", "-100", `b"/"`, "0", "ctypes.create_string_buffer(32)", "32"),
    `succeed("mount", "-o", "remount,rw,bind", "/")`,
  ],
  within: [`open("/proc/self/mountinfo").read()`],
}));

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

testAttack("signals", (_, { pid }) => ({
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
    `os.kill(1, 0) if os.readlink("/proc/self/ns/pid") == os.readlink("/proc/1/ns/pid")` +
    ` else os.kill(${pid}, 0)`,
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
}, (outside) => ["/usr/bin/python3", "-c", LEAVES_OPEN, outside]);

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

/** A directory that may be written, with a workspace of its own in it. */
function nested({ enclosed, workspace }: MachineScene): Message {
  const entries = [
    special("root", "read"),
    ...[workspace, `${workspace}/project`].map((root) => path(root, "write")),
  ];
  const fileSystem = { type: "restricted", entries };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  return { sandbox: { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions } };
}

testOnMachines("no way to protected names by renaming what is above", async (scene) => {
  const { client, mechanism, workspace, user } = scene;
  for (const path of ["project", "project/.git", "project/sub"]) {
    Deno.mkdirSync(`${workspace}/${path}`);
    if (user.id !== undefined) Deno.chownSync(`${workspace}/${path}`, user.id, user.id);
  }
  const attacks = [
    `os.rename("project", "moved")`,
    `os.rename("project/.git", "moved")`,
    `os.mkdir("other") or os.mkdir("other/.git") or os.replace("other", "project")`,
    `os.symlink("project", "link") or write("link/.git/hook")`,
    `write("project/.git/hook")`,
    `os.mkdir("project/.codex")`,
    `os.rmdir("project/.git")`,
    `os.mkdir(".git")`,
  ];
  if (mechanism === "landlock") {
    const params = command("p", pythonActions(attacks), { ...scene.enclosed, ...nested(scene) });
    const { error } = await client.request("process/start", params);
    assertMatch(JSON.stringify(error), /Landlock cannot keep .* read-only .*nothing was started/);
    return;
  }
  const { stdout } = await scene.run(pythonActions(attacks), nested(scene));
  assertMatch(stdout, /^(E[A-Z]+\n){8}$/);
  assertEquals(Array.from(Deno.readDirSync(`${workspace}/project/.git`)), []);
  const within = [`os.rename("project/sub", "project/moved")`, `write("project/new")`];
  const inside = await scene.run(pythonActions(within), nested(scene));
  assertEquals(inside.stdout, "ok\nok\n");
});
