import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { special, type WireEntry } from "../../sandbox/context.ts";
import { canRunLandlock, WITHOUT_NAMESPACES } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, users } from "../../sandbox/linux/sandboxed_run.ts";
import { command, type Outcome, run, shell, start, waitForOutput } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { openWebSocket } from "../support/websocket_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { serveLoopback, writeAll } from "./support/http_proxy.ts";
import { managed } from "./support/managed.ts";
import { python, pythonActions } from "./support/python.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

interface Scene {
  readonly client: RawClient;
  readonly workspace: string;
}

/** Tests something as each user, on a host without user namespaces. */
function testLandlocked(name: string, body: (scene: Scene) => Promise<void>): void {
  for (const user of users) {
    Deno.test({
      name: `Landlock: ${name}, as ${user.name}`,
      ignore: !canRunLandlock || !canRunBubblewrap,
      fn: async () => {
        using directory = new TemporaryDirectory();
        const workspace = `${directory.path}/ws`;
        Deno.mkdirSync(workspace);
        for (const path of [directory.path, workspace]) {
          if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
        }
        const { launcher = [] } = launchAs(user);
        await using client = connectStdio({ launcher: [...launcher, ...WITHOUT_NAMESPACES] });
        await client.initialize();
        await body({ client, workspace });
      },
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
    assertMatch(stdout, /^((EPERM|EACCES)\n){7}$/);
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
