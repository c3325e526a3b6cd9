import { assertEquals } from "@std/assert";
import { landlockVersion } from "../../../src/os/thread_restrictions.ts";
import type { HostMechanisms } from "../../../src/sandbox/host.ts";
import { Landlock } from "../../../src/sandbox/landlock/mechanism.ts";
import { SINCE } from "../../../src/sandbox/landlock/rights.ts";
import { LinuxHost } from "../../../src/sandbox/linux/host.ts";
import { GroupPool } from "../../../src/sandbox/restricted_threads/group_pool.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { SeccompFilters } from "../../../src/sandbox/seccomp/filter.ts";
import { python, pythonActions } from "../../e2e/sandbox/support/python.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { context, special, type WireEntry, workspaceWrite } from "../context.ts";

// Commands under a Landlock of which the program only uses what an older kernel's has.

const SIGTERM = 15;

interface Scene {
  readonly workspace: string;
  readonly outside: string;
  /** A process of the same user that is none of the commands. */
  readonly bystander: number;
  /** Runs a command in the workspace. Returns all it writes. */
  run(argv: readonly string[], entries?: readonly WireEntry[]): Promise<string>;
}

function testVersion(version: number, name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name: `Landlock's version ${version}: ${name}`,
    ignore: Deno.build.os !== "linux" || landlockVersion() < SINCE.moving,
    // Threads and their descriptors outlast a test by a little.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      using directory = new TemporaryDirectory();
      const [workspace, outside] = [`${directory.path}/ws`, `${directory.path}/outside`];
      directory.write("ws/file", "file\n", 0o644);
      directory.write("outside/secret", "secret\n", 0o644);
      await using sandbox = new Sandbox({ host: hostWith(version) });
      await using bystander = new Deno.Command("sleep", { args: ["600"] }).spawn();
      try {
        await body({
          workspace,
          outside,
          bystander: bystander.pid,
          run: (argv, entries = workspaceWrite) => run(sandbox, workspace, argv, entries),
        });
      } finally {
        bystander.kill("SIGKILL");
      }
    },
  });
}

function hostWith(landlock: number): HostMechanisms {
  const whole = new LinuxHost();
  const host = {
    probe: async (untrusted: readonly string[]) => ({ ...await whole.probe(untrusted), landlock }),
  };
  const groups = new GroupPool();
  return {
    os: "linux",
    name: "Linux",
    host,
    mechanisms: [new Landlock(host, new SeccompFilters(), groups)],
    resources: [groups],
  };
}

async function run(
  sandbox: Sandbox,
  cwd: string,
  argv: readonly string[],
  entries: readonly WireEntry[],
): Promise<string> {
  const ended = Promise.withResolvers<void>();
  const decoder = new TextDecoder();
  let written = "";
  await sandbox.start(
    {
      sandbox: context({ entries, cwd, workspaceRoots: [cwd] }),
      enforceManagedNetwork: false,
      managedNetwork: undefined,
    },
    undefined,
    { argv, cwd, env: { PATH: "/usr/bin:/bin" }, stdio: { kind: "pipes", stdin: "empty" } },
    {
      output: (_, bytes) => written += decoder.decode(bytes, { stream: true }),
      exited: () => {},
      ended: ended.resolve,
    },
  );
  await ended.promise;
  return written;
}

testVersion(SINCE.moving, "signals stay in", async ({ bystander, run }) => {
  const attacks = [
    `os.kill(${bystander}, 0)`,
    `os.kill(${bystander}, ${SIGTERM})`,
    `os.kill(${Deno.pid}, 0)`,
    "os.kill(1, 0)",
    `os.killpg(os.getpgid(${bystander}), 0)`,
    `signal.pidfd_send_signal(os.pidfd_open(${bystander}), ${SIGTERM})`,
    `call(NUMBERS["tgkill"], ${bystander}, ${bystander}, ${SIGTERM})`,
    `call(NUMBERS["rt_sigqueueinfo"], ${bystander}, ${SIGTERM}, INFO)`,
    `call(NUMBERS["rt_tgsigqueueinfo"], ${bystander}, ${bystander}, ${SIGTERM}, INFO)`,
    `fcntl.fcntl(0, fcntl.F_SETOWN, ${bystander})`,
    `fcntl.fcntl(0, 15, struct.pack("ii", 1, ${bystander}))`,
    `fcntl.ioctl(0, 0x8901, struct.pack("i", ${bystander}))`,
    `fcntl.ioctl(0, 0x8902, struct.pack("i", ${bystander}))`,
  ];
  const own = [
    "os.kill(os.getpid(), 0)",
    "os.killpg(0, 0)",
    "os.killpg(os.getpgrp(), 0)",
    "signal.raise_signal(signal.SIGCONT)",
    "call(NUMBERS['tkill'], os.getpid(), 0)",
    "ended_by(os.kill, subprocess.Popen(['sleep', '600']))",
    "ended_by(os.kill, subprocess.Popen(['sleep', '600'], start_new_session=True))",
    "ended_by(os.killpg, subprocess.Popen(['sleep', '600'], process_group=0)" +
    " if sys.version_info >= (3, 11) else subprocess.Popen(['sleep', '600'], start_new_session=True))",
    "ended_by(lambda pid, number: signal.pidfd_send_signal(os.pidfd_open(pid), number)," +
    " subprocess.Popen(['sleep', '600']))",
    "ended_by(lambda pid, number: call(NUMBERS['rt_sigqueueinfo'], pid, number, INFO)," +
    " subprocess.Popen(['sleep', '600']))",
    "ended_by(lambda pid, number: os.kill(-1, number), subprocess.Popen(['sleep', '600']))",
  ];
  const numbers = Deno.build.arch === "aarch64"
    ? "{'tkill': 130, 'tgkill': 131, 'rt_sigqueueinfo': 138, 'rt_tgsigqueueinfo': 240}"
    : "{'tkill': 200, 'tgkill': 234, 'rt_sigqueueinfo': 129, 'rt_tgsigqueueinfo': 297}";
  const script = `
NUMBERS = ${numbers}
# siginfo_t of SIGTERM with SI_QUEUE.
INFO = ctypes.create_string_buffer(struct.pack("iii", ${SIGTERM}, 0, -1).ljust(128, b"\\0"))
def ended_by(send, child):
    send(child.pid, ${SIGTERM})
    if child.wait() != -${SIGTERM}: raise OSError(errno.EINVAL, "")
${[...attacks, ...own].map((action) => `say(lambda: ${action})`).join("\n")}
`;
  const lines = (await run(python(script))).split("\n").slice(0, -1);
  assertEquals(lines.slice(0, attacks.length), Array(attacks.length).fill("EPERM"));
  assertEquals(lines.slice(attacks.length), Array(own.length).fill("ok"));
});

testVersion(SINCE.moving, "truncation and names stay in", async ({ outside, run }) => {
  const attacks = [
    `os.truncate("${outside}/secret", 0)`,
    `os.open("${outside}/secret", os.O_RDONLY | os.O_TRUNC)`,
    `open("${outside}/secret", "w")`,
    `os.mkdir(".git")`,
  ];
  const within = [
    `os.truncate("file", 1)`,
    `os.open("file", os.O_RDONLY | os.O_TRUNC)`,
    `os.mkdir("a") or os.rename("file", "a/file")`,
  ];
  const written = await run(pythonActions([...attacks, ...within]));
  assertEquals(written, "EROFS\n".repeat(attacks.length) + "ok\n".repeat(within.length));
  const readOnly = pythonActions([`os.truncate("a/file", 0)`, ...attacks.slice(0, 3)]);
  assertEquals(await run(readOnly, [special("root", "read")]), "EROFS\n".repeat(4));
  assertEquals(Deno.readTextFileSync(`${outside}/secret`), "secret\n");
});

testVersion(5, "a session of its own is within reach of its relatives", async ({ run }) => {
  const script = `
daemon = subprocess.Popen(["sh", "-c", "setsid sleep 20 & echo $!; wait"], stdout=subprocess.PIPE)
pid = int(daemon.stdout.readline())
say(lambda: os.kill(pid, signal.SIGKILL))
`;
  assertEquals(await run(python(script)), "ok\n");
});
