import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { path, special } from "../../sandbox/context.ts";
import { canRunLandlock, WITHOUT_NAMESPACES } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, type TestUser, users } from "../../sandbox/linux/sandboxed_run.ts";
import { command, run, shell } from "../support/commands.ts";
import { ListeningExecutor, runToEnd } from "../support/executor.ts";
import { exists } from "../support/files.ts";
import { Inbox, isRecord, type Message } from "../support/inbox.ts";
import { Opcode, RawSocket, UPGRADE } from "../support/raw_socket.ts";
import { RawClient } from "../support/raw_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { managed } from "./support/managed.ts";
import { launchAs } from "./support/sandboxed.ts";

/** Asks for a WebSocket and sends, without waiting, what makes the executor touch a file. */
const ATTACK = `
import array, ctypes, json, os, select, socket, struct, subprocess, sys, threading, time
HOST, PORT, TARGET = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def frame(value):
    data = json.dumps(value).encode()
    return b"\\x81" + struct.pack("!BH", 0xfe, len(data)) + bytes(4) + data
MESSAGES = frame({"id": 1, "method": "initialize", "params": {"clientName": "attack"}}) + \\
    frame({"method": "initialized"}) + \\
    frame({"id": 2, "method": "process/start", "params": {"processId": "p", "argv": ["touch", TARGET],
        "cwd": "file:///", "env": {"PATH": "/usr/bin:/bin"}, "tty": False}})
REQUEST = (f"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
    "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n").encode()
def connect(family=socket.AF_INET, address=None, source=None):
    client = socket.socket(family)
    client.settimeout(20)
    if source: client.bind(source)
    client.connect(address or (HOST, PORT))
    return client
def send(client): client.sendall(REQUEST + MESSAGES)
def read(client):
    try: return client.recv(12).decode("latin1")
    except OSError as error: return type(error).__name__
def told(client):
    send(client)
    return read(client)
def quietly(action):
    try: action()
    except OSError: pass
def answers():
    yield told(connect())
    yield told(connect(address=("127.0.0.1", PORT), source=("127.0.0.9", 0)))
    yield told(connect(socket.AF_INET6, ("::ffff:127.0.0.1", PORT)))
    # Closed, or broken off, as soon as all is said.
    client = connect(); send(client); client.close()
    client = connect(); send(client)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); client.close()
    # In a daemon.
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: os.write(writing, told(connect()).encode())
        os._exit(0)
    os.wait(); os.close(writing)
    yield os.read(reading, 99).decode()
    # Handed to another program.
    client = connect()
    code = "import socket, sys; c = socket.socket(fileno=int(sys.argv[1])); c.settimeout(20); print(c.recv(12).decode())"
    child = subprocess.Popen([sys.executable, "-c", code, str(client.fileno())],
        pass_fds=[client.fileno()], stdout=subprocess.PIPE, text=True)
    send(client); client.close()
    yield child.communicate()[0].strip()
    # Handed on from process to process while somebody looks.
    for _ in range(2):
        reading, writing = os.pipe()
        client = connect()
        if os.fork() == 0:
            send(client)
            # As many as are there while it is found out who connects; each takes a process number.
            for _ in range(300):
                if select.select([client], [], [], 0)[0]: break
                if os.fork(): os._exit(0)
            os.write(writing, read(client).encode())
            os._exit(0)
        client.close(); os.close(writing); os.wait()
        yield os.read(reading, 99).decode()
    # Nobody has it while it is under way.
    left, right = socket.socketpair()
    client = connect(); quietly(lambda: socket.send_fds(left, [b"x"], [client.fileno()]))
    send(client); client.close()
    # Only a thread has it, of a process that says nothing of itself.
    libc = ctypes.CDLL(None)
    found = []
    def alone():
        libc.unshare(0x400)
        libc.prctl(4, 0, 0, 0, 0)
        found.append(told(connect()))
    thread = threading.Thread(target=alone); thread.start(); thread.join()
    yield found[0]
    time.sleep(0.5)
for answer in answers(): print(answer, flush=True)
`;

/** The same at a unix socket. */
const UNIX_ATTACK = ATTACK.slice(0, ATTACK.indexOf("def answers")) + `
address = sys.argv[4]
def attempt():
    try: return told(connect(socket.AF_UNIX, address))
    except OSError as error: return type(error).__name__
print(attempt(), flush=True)
if os.fork() == 0:
    try:
        client = connect(socket.AF_UNIX, address); send(client)
        if os.fork() == 0: read(client)
    finally: os._exit(0)
os.wait()
# Handed on by a process that ends, over and over.
for _ in range(20):
    left, right = socket.socketpair()
    if os.fork() == 0:
        try:
            client = connect(socket.AF_UNIX, address); send(client)
            socket.send_fds(left, [b"x"], [client.fileno()])
        finally: os._exit(0)
    _, (passed,), _, _ = socket.recv_fds(right, 1, 1)
    os.wait()
    client = socket.socket(fileno=passed); client.settimeout(20)
    print(read(client), flush=True)
time.sleep(0.5)
`;

const TOKEN = "open-sesame";

/** Connects as whoever knows the token, which an executor without one does not look at. */
async function connectWithToken(url: string): Promise<RawClient> {
  const socket = await RawSocket.connect(url);
  const headers = { ...UPGRADE, authorization: `Bearer ${TOKEN}` };
  assertEquals((await socket.http("GET", "/", headers)).status, 101);
  const inbox = new Inbox();
  const reading = (async () => {
    let frame = await socket.next(HOUR_MS);
    for (
      ;
      frame !== undefined && frame.opcode !== Opcode.Close;
      frame = await socket.next(HOUR_MS)
    ) {
      if (frame.opcode === Opcode.Ping) await socket.send(Opcode.Pong, frame.payload);
      else inbox.receive(new TextDecoder().decode(frame.payload));
    }
    inbox.end({ code: 1000, reason: "" });
  })();
  return new RawClient({
    kind: "websocket",
    send: (text) => void socket.send(Opcode.Text, text),
    close: async () => {
      await socket.send(Opcode.Close, "");
      await reading;
      socket[Symbol.dispose]();
    },
  }, inbox);
}

const HOUR_MS = 3_600_000;

interface Scene {
  readonly executor: ListeningExecutor;
  readonly client: RawClient;
  readonly directory: TemporaryDirectory;
  /** Members of `process/start` for a command that may read all and has a network. */
  readonly sandbox: Message;
}

function testReach(
  name: string,
  body: (scene: Scene) => Promise<void>,
  args: (directory: TemporaryDirectory, user: TestUser) => readonly string[] = () => [],
): void {
  for (const user of users) {
    for (const mechanism of ["bubblewrap", "landlock"] as const) {
      Deno.test({
        name: `reach: ${name}, ${mechanism}, as ${user.name}`,
        ignore: !canRunBubblewrap || mechanism === "landlock" && !canRunLandlock,
        fn: async () => {
          using directory = new TemporaryDirectory();
          Deno.chmodSync(directory.path, 0o777);
          const machine = mechanism === "landlock" ? WITHOUT_NAMESPACES : [];
          const launcher = [...launchAs(user).launcher ?? [], ...machine];
          await using executor = await ListeningExecutor.start(
            { launcher },
            args(directory, user),
          );
          await using client = await connectWithToken(executor.url.replace("[::]", "127.0.0.1"));
          await client.initialize();
          const permissions = {
            type: "managed",
            file_system: { type: "restricted", entries: [special("root", "read")] },
            network: "enabled",
          };
          await body({ executor, client, directory, sandbox: { sandbox: { permissions } } });
        },
      });
    }
  }
}

testReach("a command does not get through to its own executor", async (scene) => {
  const { executor, client, directory, sandbox } = scene;
  const { port } = new URL(executor.url);
  const target = `${directory.path}/touched`;
  const argv = ["/usr/bin/python3", "-c", ATTACK, "127.0.0.1", port, target];
  for (const [name, enclosing] of Object.entries({ sandboxed: sandbox, bare: {} })) {
    const { stdout, stderr } = await run(client, command(name, [...argv, name], enclosing));
    assertEquals(stderr, "", name);
    const refusals = stdout.trimEnd().split("\n")
      .filter((line) => !/^(HTTP\/1.1 403|ConnectionReset\w*|)$/.test(line));
    assertEquals(refusals, [], name);
    assertEquals(exists(target), false, name);
  }
  // Whoever it did not start gets in, and health checks are for all.
  using outside = await RawSocket.connect(`ws://127.0.0.1:${port}`);
  assertEquals((await outside.http("GET", "/", UPGRADE)).status, 101);
  const health = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).status)";
  const url = `http://127.0.0.1:${port}/healthz`;
  const probe = ["/usr/bin/python3", "-c", health, url];
  assertEquals((await run(client, command("health", probe, sandbox))).stdout, "200\n");
}, () => ["--listen", "ws://[::]:0", "--insecure-no-auth"]);

Deno.test("reach: a command does not get through to its own executor's unix socket", async () => {
  using directory = new TemporaryDirectory();
  const [address, target] = [`${directory.path}/socket`, `${directory.path}/touched`];
  await using executor = await ListeningExecutor.start({}, ["--listen", `unix:${address}`]);
  assertEquals(executor.url, `unix:${address}`);
  const argv = ["/usr/bin/python3", "-c", UNIX_ATTACK, "-", "0", target, address];
  // Each of these is also somebody from outside who comes after a command has tried.
  for (let turn = 0; turn < 3; turn++) {
    const { code, stdout, stderr } = await runToEnd([
      "exec",
      "--url",
      `unix:${address}`,
      "--",
      ...argv,
    ]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, /^((HTTP\/1.1 403|ConnectionReset\w*|BrokenPipe\w*|)\n)+$/);
  }
  assertEquals(exists(target), false);
});

/** A file that only the executor's user can read. */
function secretFile(directory: TemporaryDirectory, user: TestUser): string {
  directory.write("keys/token", TOKEN, 0o600);
  directory.write("keys/beside", "beside", 0o644);
  const path = `${directory.path}/keys/token`;
  if (user.id !== undefined) {
    for (const own of [`${directory.path}/keys`, path]) Deno.chownSync(own, user.id, user.id);
  }
  Deno.symlinkSync(path, `${directory.path}/link`);
  return `${directory.path}/link`;
}

testReach("no sandbox gives away the executor's token", async (scene) => {
  const { client, directory, sandbox } = scene;
  const keys = `${directory.path}/keys`;
  assertEquals((await run(client, command("bare", ["cat", `${keys}/token`]))).stdout, TOKEN);
  const script = `cat ${keys}/beside; cat ${keys}/token ${directory.path}/link && echo; ` +
    `cat < /proc/self/root${keys}/token; cp ${keys}/token /dev/stdout; ln ${keys}/token x`;
  const named = path(`${keys}/token`, "read");
  const all = special("root", "read");
  const permissions = (entries: readonly unknown[]) => ({
    type: "managed",
    file_system: { type: "restricted", entries },
    network: "enabled",
  });
  for (const entries of [[all], [all, named]]) {
    const enclosing = { sandbox: { permissions: permissions(entries) } };
    const id = `with ${entries.length}`;
    const { stdout, stderr } = await run(client, shell(id, script, enclosing));
    assertEquals(stdout, "beside", stderr);
    assertMatch(stderr, /token: (Permission denied|No such device)/);
    const read = { path: `file://${keys}/token`, ...enclosing };
    for (const method of ["fs/readFile", "fs/open"]) {
      const answer = await client.request(method, { handleId: id, ...read });
      assertEquals(isRecord(answer.error), true, JSON.stringify(answer));
    }
    const copy = { sourcePath: read.path, destinationPath: "file:///tmp/x", recursive: false };
    const copied = await client.request("fs/copy", { ...copy, ...enclosing });
    assertEquals(isRecord(copied.error), true, JSON.stringify(copied));
    const beside = { ...read, path: `file://${keys}/beside` };
    assertEquals(isRecord((await client.request("fs/readFile", beside)).result), true);
  }
  assertEquals(sandbox, { sandbox: { permissions: permissions([all]) } });
}, (directory, user) => {
  const file = secretFile(directory, user);
  return ["--ws-auth", "capability-token", "--ws-token-file", file];
});

Deno.test("reach: a managed network cannot have the executor's own port", async () => {
  await using executor = await ListeningExecutor.start();
  await using client = await connectWithToken(executor.url);
  await client.initialize();
  const port = Number(new URL(executor.url).port);
  const params = command("p", ["true"], managed([9, port]));
  assertObjectMatch(await client.request("process/start", params), {
    error: {
      code: -32602,
      message: `managedNetwork.loopbackPorts: ${port} is the port that this executor listens on`,
    },
  });
});
