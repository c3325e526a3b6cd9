import { glob, path, special, type WireEntry } from "../sandbox/context.ts";
import { call } from "../e2e/sandbox/support/attacks.ts";
import { networkProxy } from "../e2e/egress/support/network_proxy.ts";
import type { Message } from "../e2e/support/inbox.ts";
import type { Intent } from "./hosts.ts";

/** What a scene plays in. All of it belongs to the executor's user. */
export interface Surroundings {
  /** A git repository with the files `file`, `secret.env` and `key.pem`, and the directory `sub`. */
  readonly workspace: string;
  /** A directory beside it, with a file `secret`. */
  readonly outside: string;
  /** A process that is none of the command's business, with `secret` open as descriptor 7. */
  readonly bystander: number;
  /** Ports of servers on 127.0.0.1, one of which is granted where the network is managed. */
  readonly port: number;
  readonly otherPort: number;
}

/** What a command tries. Python expressions, see tests/e2e/sandbox/support/python.ts. */
export interface Scene {
  readonly entries: readonly WireEntry[];
  /** More members of `process/start`. */
  readonly more?: Message;
  /** Each of them must fail. */
  readonly attacks: readonly string[];
  /** Each of them must work. */
  readonly within: readonly string[];
}

const READ = [special("root", "read")];
const WRITE = [...READ, special("project_roots", "write")];

const CLONE_NEWUSER = 0x1000_0000;

/** The ways to change what is in a directory, none of which may work where it is read-only. */
function changes(directory: string, file: string): string[] {
  const [path, fresh] = [`${directory}/${file}`, `${directory}/new`];
  return [
    `write("${fresh}")`,
    `write("${path}")`,
    `write("/proc/self/root${fresh}")`,
    `os.open("${directory}", os.O_TMPFILE | os.O_RDWR)`,
    `os.truncate("${path}", 0)`,
    `os.mkdir("${fresh}")`,
    `os.mkfifo("${fresh}")`,
    `os.symlink("x", "${fresh}")`,
    `os.link("${path}", "${fresh}")`,
    `os.rename("${path}", "${fresh}")`,
    `os.unlink("${path}")`,
    `os.chmod("${path}", 0o777)`,
    `os.utime("${path}", (1, 1))`,
    `os.setxattr("${path}", "user.x", b"x")`,
  ];
}

/** The scene of each intent. */
export const SCENES: Readonly<Record<Intent, (surroundings: Surroundings) => Scene>> = {
  "read-only": ({ workspace, outside }) => ({
    entries: READ,
    attacks: [...changes(workspace, "file"), ...changes(outside, "secret")],
    within: [`open("file").read()`, `open("${outside}/secret").read()`, `write("/dev/null")`],
  }),

  "workspace-write": ({ outside }) => ({
    entries: WRITE,
    attacks: [
      ...changes(outside, "secret"),
      `os.symlink("${outside}", "way-out") or write("way-out/new")`,
      `os.link("${outside}/secret", "in")`,
      `os.rename("${outside}/secret", "in")`,
      `os.rename("file", "${outside}/new")`,
      `open(f"/proc/self/fd/{os.open('${outside}/secret', os.O_RDONLY)}", "r+")`,
    ],
    within: [
      `write("new") or os.rename("new", "newer") or os.link("newer", "new")`,
      `os.mkdir("made") or os.rename("made", "sub/made") or os.rmdir("sub/made")`,
      `os.chmod("newer", 0o600) or os.utime("newer", (1, 1)) or os.truncate("newer", 0)`,
      `os.symlink("newer", "link") or write("link") or os.unlink("link")`,
      `os.mkfifo("pipe")`,
      `write("/dev/null")`,
    ],
  }),

  "protected names": () => ({
    entries: WRITE,
    attacks: [
      ...changes(".git", "config"),
      ...changes(".git/hooks", "kept"),
      ...[".agents", ".codex"].flatMap((name) => [`os.mkdir("${name}")`, `write("${name}")`]),
      `os.rename(".git", "git")`,
      `os.symlink(".git", "alias") or write("alias/config")`,
      `os.rename("sub", ".agents")`,
      `__import__("shutil").rmtree(".git")`,
    ],
    within: [`write("git")`, `os.mkdir("agents")`, `open(".git/config").read()`],
  }),

  "denied files": ({ workspace, outside }) => ({
    entries: [
      ...WRITE,
      path(`${workspace}/secret.env`, "deny"),
      path(`${outside}/secret`, "deny"),
      glob(`${workspace}/**/*.pem`),
    ],
    attacks: [
      `open("secret.env").read()`,
      `open("key.pem").read()`,
      `open("${outside}/secret").read()`,
      `open("/proc/self/root${workspace}/secret.env").read()`,
      `os.symlink("secret.env", "alias") or open("alias").read()`,
      `os.link("secret.env", "other") or open("other").read()`,
      `os.rename("key.pem", "key.txt") or open("key.txt").read()`,
      `write("secret.env")`,
      `succeed("cat", "secret.env")`,
    ],
    within: [`open("file").read()`, `write("new.env")`, `os.listdir("${outside}")`],
  }),

  "no network": ({ port, workspace }) => ({
    entries: WRITE,
    attacks: [
      `connect(("127.0.0.1", ${port}))`,
      `connect("${workspace}/socket", socket.AF_UNIX)`,
      `socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", ${port}))`,
      `socket.create_server(("127.0.0.1", 0))`,
      `socket.socket(socket.AF_UNIX).bind("own")`,
      `socket.socket(socket.AF_UNIX).bind("\\0own")`,
      `socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)`,
    ],
    within: [`[ours.send(b"x") for ours, theirs in [socket.socketpair()]]`],
  }),

  "managed network": ({ port, otherPort, workspace }) => ({
    entries: WRITE,
    more: { managedNetwork: { loopbackPorts: [port], allowLocalBinding: false } },
    attacks: [
      `connect(("127.0.0.1", ${otherPort}))`,
      `connect(("127.0.0.2", ${port}))`,
      `connect("${workspace}/socket", socket.AF_UNIX)`,
      `socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", ${otherPort}))`,
      `socket.create_server(("127.0.0.1", 0))`,
    ],
    within: [
      `connect(("127.0.0.1", ${port}))`,
      `socket.create_connection(("127.0.0.1", ${port})).recv(9) == b"hello" or 1 / 0`,
    ],
  }),

  "network by name": ({ port, otherPort, workspace }) => ({
    entries: WRITE,
    more: { networkProxy: { proxy: networkProxy(["127.0.0.1"]) } },
    attacks: [
      `connect(("127.0.0.1", ${port}))`,
      `tunnel("127.0.0.2:${otherPort}")`,
      `tunnel("localhost:${otherPort}")`,
      `connect("${workspace}/socket", socket.AF_UNIX)`,
      `socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", ${otherPort}))`,
      `socket.create_server(("127.0.0.1", 0))`,
    ],
    within: [`tunnel("127.0.0.1:${port}") == b"hello" or 1 / 0`],
  }),

  "processes of others": ({ bystander }) => ({
    entries: WRITE,
    attacks: [
      `os.kill(${bystander}, signal.SIGTERM)`,
      `os.kill(${bystander}, 0)`,
      `signal.pidfd_send_signal(os.pidfd_open(${bystander}), signal.SIGTERM)`,
      `open("/proc/${bystander}/mem", "r+b")`,
      `open("/proc/${bystander}/environ").read()`,
      `open("/proc/${bystander}/fd/7", "r+")`,
      call("ptrace", "0x4206", `${bystander}`, "0", "0"),
      call("process_vm_readv", `${bystander}`, "None", "0", "None", "0", "0"),
      call("pidfd_getfd", `os.pidfd_open(${bystander})`, "7", "0"),
    ],
    within: [`os.kill(os.getpid(), 0)`, `subprocess.Popen(["sleep", "100"]).kill()`],
  }),

  "the kernel": () => ({
    entries: WRITE,
    attacks: [
      call("unshare", `${CLONE_NEWUSER}`),
      call("clone", `${CLONE_NEWUSER | 17}`, "None", "None", "None", "None"),
      call("setns", `os.open("/proc/self/ns/user", os.O_RDONLY)`, "0"),
      call("io_uring_setup", "8", "ctypes.create_string_buffer(120)"),
      call("mount", `b"x"`, `b"sub"`, `b"tmpfs"`, "0", "None"),
      `write("/proc/sys/kernel/hostname")`,
      `write("/proc/self/oom_score_adj")`,
      `os.mknod("device", 0o20666, os.makedev(1, 3))`,
      `succeed("bwrap", "--unshare-user", "--bind", "/", "/", "true")`,
    ],
    within: [
      `os.waitpid(os.fork() or os._exit(0), 0)`,
      `subprocess.run(["true"], check=True)`,
      `__import__("threading").Thread(target=print, args=("",), kwargs={"end": ""}).start()`,
    ],
  }),

  "a terminal": () => ({
    entries: WRITE,
    more: { tty: true },
    attacks: [`fcntl.ioctl(0, 0x5412, b"x")`, `fcntl.ioctl(0, 0x541c, b"x")`],
    within: [
      `os.write(os.open("/dev/tty", os.O_RDWR), b"")`,
      `os.ttyname(0)`,
      `termios.tcgetattr(0)`,
    ],
  }),

  git: () => ({
    entries: WRITE,
    attacks: [`succeed("git", "commit", "-q", "--allow-empty", "-m", "x")`],
    within: [
      `succeed("git", "status")`,
      `succeed("git", "log")`,
      `succeed("git", "clone", "-q", ".", "clone")`,
      `os.chdir("clone") or write("more") or succeed("git", "add", "more")`,
      `succeed("git", "commit", "-q", "-m", "more")`,
      `succeed("git", "gc", "-q")`,
    ],
  }),
};
