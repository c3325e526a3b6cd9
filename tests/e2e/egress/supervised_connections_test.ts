import { assert, assertEquals } from "@std/assert";
import { command, run } from "../support/commands.ts";
import { eventually } from "../../support/patience.ts";
import { isRecord } from "../support/inbox.ts";
import { testInWorld, type World } from "./support/world.ts";

// With Landlock there is no network of the command's own: a supervisor joins its connections with the
// proxy, through a port of the machine that nobody else is to get anywhere by.

/** Python that begins with a way to ask the proxy for a page over a socket. */
const PRELUDE = String.raw`
import asyncio, os, select, socket, sys, time
GET = b"GET http://good.example/hello HTTP/1.0\r\nHost: good.example\r\n\r\n"
def lastLine(answer): return answer.splitlines()[-1].decode() if answer else "nothing"
def ask(client): client.sendall(GET); return lastLine(client.makefile("rb").read())
def attempt(action):
    try: print(action(), flush=True)
    except OSError as error: print(type(error).__name__, error.errno, flush=True)
`;

function python(script: string): string {
  return `python3 -c '${PRELUDE}${script}'`;
}

/** Runs Python that nothing encloses, on the same machine. */
async function stranger({ client }: World, script: string): Promise<string> {
  const outside = command("stranger", ["/bin/sh", "-c", python(script)], {});
  const { stdout, stderr } = await run(client, outside);
  assertEquals(stderr, "");
  return stdout;
}

testInWorld("sockets of every kind are joined with the proxy", async ({ script }) => {
  const { stdout, stderr } = await script(
    python(`
def connected(family, address):
    client = socket.socket(family); client.connect(address); return client
print(ask(connected(socket.AF_INET, ("127.0.0.1", 3128))))
print(ask(connected(socket.AF_INET6, ("::ffff:127.0.0.1", 3128))))
# One that was registered before it was connected, and does not wait.
client = socket.socket(); client.setblocking(False)
poll = select.epoll(); poll.register(client, select.EPOLLOUT | select.EPOLLIN)
result = client.connect_ex(("127.0.0.1", 3128)); assert result in (0, 115), result
assert poll.poll(5)[0][1] & select.EPOLLOUT
assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
client.setblocking(True); print(ask(client))
async def by_loop():
    reader, writer = await asyncio.open_connection("127.0.0.1", 3128)
    writer.write(GET); return lastLine(await reader.read())
print(asyncio.run(by_loop()))
attempt(lambda: connected(socket.AF_INET, ("127.0.0.1", 3128)).connect(("127.0.0.1", 3128)))
`),
    ["good.example"],
  );
  const hello = "hello from good.example";
  assertEquals({ stdout: stdout.trim().split("\n"), stderr }, {
    stdout: [...Array(4).fill(hello), "OSError 106"],
    stderr: "",
  });
});

testInWorld("what a command left in the background keeps its way", async (world) => {
  const { workspace, script } = world;
  const { exitCode } = await script(
    python(`
if os.fork(): sys.exit(0)
os.setsid()
for descriptor in (0, 1, 2): os.close(descriptor)
os.open("/dev/null", os.O_RDWR)
while not os.path.exists("go"): time.sleep(0.01)
with open("answer.part", "w") as answer: answer.write(ask(socket.create_connection(("127.0.0.1", 3128))))
os.rename("answer.part", "answer")
`),
    ["good.example"],
  );
  assertEquals(exitCode, 0);
  Deno.writeTextFileSync(`${workspace}/go`, "");
  const answered = () => {
    try {
      return Deno.readTextFileSync(`${workspace}/answer`);
    } catch {
      return undefined;
    }
  };
  await eventually(() => answered() !== undefined, "an answer");
  assertEquals(answered(), "hello from good.example");
}, { only: "landlock" });

testInWorld("nobody else gets anywhere by a command's way", async (world) => {
  const { script, workspace } = world;
  const using = script(
    python(`
client = socket.create_connection(("127.0.0.1", 3128))
port = client.getpeername()[1]
# Nor does the command itself, but by the port that it was told.
attempt(lambda: socket.create_connection(("127.0.0.1", port), 2))
with open("port.part", "w") as file: file.write(str(port))
os.rename("port.part", "port")
while not os.path.exists("tried"): time.sleep(0.01)
print(ask(client)); print(ask(socket.create_connection(("127.0.0.1", 3128))))
`),
    ["good.example"],
  );
  await eventually(() => {
    try {
      return Deno.statSync(`${workspace}/port`).isFile;
    } catch {
      return false;
    }
  }, "the port");
  const port = Number(Deno.readTextFileSync(`${workspace}/port`));
  assert(port > 0);
  const [heard, refused] = await Promise.all([
    stranger(
      world,
      `
def knock(address):
    client = socket.socket(); client.bind((address, 0)); client.settimeout(30)
    open("${workspace}/tried", "w").close()
    client.connect(("127.0.0.1", ${port})); client.sendall(GET); return client.recv(999) or b"nothing"
for address in ("127.0.0.1", "127.0.0.2"): attempt(lambda: knock(address))
`,
    ),
    script(
      python(`attempt(lambda: socket.create_connection(("127.0.0.1", ${port}), 2))`),
      ["second.example"],
    ),
  ]);
  assertEquals(refused.stdout, "PermissionError 1\n");
  assert(!heard.includes("hello"), heard);
  assertEquals(heard.trim().split("\n"), Array(2).fill("ConnectionRefusedError 111"));
  const hello = "hello from good.example";
  assertEquals((await using).stdout, `PermissionError 1\n${hello}\n${hello}\n`);
}, { only: "landlock" });

testInWorld(
  "a connection does not leave the machine by an option of its socket",
  async ({ script }) => {
    const { stdout, stderr } = await script(
      python(`
options = [(1, 25, b"cable0\\0"), (1, 62, 1), (0, 4, b"\\x83\\x07\\x04\\x0b\\x00\\x00\\x02\\x00"), (0, 50, 1 << 24)]
options += [(41, option, 1) for option in (3, 4, 5, 6, 54, 55, 57, 59, 76)]
options += [(6, option, 1) for option in (7, 23, 30, 31, 34)]
for family in (socket.AF_INET, socket.AF_INET6):
    client = socket.socket(family)
    for level, option, value in options: attempt(lambda: client.setsockopt(level, option, value))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
`),
      ["good.example"],
    );
    assertEquals({ stdout: new Set(stdout.trim().split("\n")), stderr }, {
      stdout: new Set(["PermissionError 1"]),
      stderr: "",
    });
  },
);

testInWorld(
  "commands with the same rules leave nothing behind, and each has its own report",
  async (world) => {
    const count = async (id: string) => {
      const counting = command(id, ["/bin/sh", "-c", "ls /proc/$PPID/fd | wc -l"], {});
      return Number((await run(world.client, counting)).stdout);
    };
    const hosts = ["good.example", "second.example"];
    const visit = async (host: string) => {
      const { stdout, events } = await world.script(
        `setsid -w curl -sS http://${host}/hello`,
        hosts,
      );
      assertEquals(stdout, `hello from ${host}\n`);
      const exited = events.find(({ method }) => method === "process/exited")?.params;
      assertEquals(isRecord(exited) && exited.networkReached, [`${host}:80`]);
    };
    await Promise.all(hosts.map(visit));
    const before = await count("before");
    for (let round = 0; round < 8; round++) await Promise.all(hosts.map(visit));
    const left = await count("after") - before;
    // Threads made ahead may have come meanwhile, some twenty descriptors. Those of ended ones are not had back.
    assert(left < 3 * 16, `${left} more descriptors after 16 commands`);
  },
  { only: "landlock" },
);
