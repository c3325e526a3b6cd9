import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import type { Outcome } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { networkProxy } from "./support/network_proxy.ts";
import { testInWorld } from "./support/world.ts";

/** What a command was told of each of some URLs: the status, or why there is none. */
function statuses(urls: readonly string[], options = ""): string {
  return urls.map((url) =>
    `curl -sg ${options} -o answer -w '%{http_code} %{http_connect}\\n' '${url}' || echo $?; ` +
    `cat answer >> answers 2>/dev/null; rm -f answer`
  ).join("\n") + "\ncat answers";
}

function exited({ events }: Outcome): Message {
  const params = events.find(({ method }) => method === "process/exited")?.params;
  return isRecord(params) ? params : {};
}

testInWorld("nothing but the proxy is there", async ({ script, mechanism }) => {
  const { stdout } = await script(
    `python3 -c '
import socket
def attempt(action):
    try: action(); print("reached")
    except OSError as error: print(type(error).__name__, error.errno)
for address in (("11.0.0.2", 80), ("11.0.0.1", 80), ("127.0.0.1", 80), ("127.0.0.1", 22)):
    attempt(lambda: socket.create_connection(address, 2))
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt(lambda: socket.socket(socket.AF_UNIX))
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW))
attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt(lambda: socket.create_server(("127.0.0.1", 0)))
'`,
    ["good.example"],
  );
  const refused = "PermissionError 1";
  const unreachable = mechanism === "bubblewrap"
    ? ["OSError 101", "OSError 101", "ConnectionRefusedError 111", "ConnectionRefusedError 111"]
    : Array(4).fill(refused);
  assertEquals(stdout.trim().split("\n"), [...unreachable, ...Array(6).fill(refused)]);
});

testInWorld("names and addresses of the inside, however they are spelled", async ({ script }) => {
  const hosts = [
    ...["rebound.example", "own.example", "private.example", "metadata.example", "inside.example"],
    ...["127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1."],
    ...["[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::]", "0.0.0.0", "0"],
    ...["[64:ff9b::7f00:1]", "[fe80::1]", "169.254.169.254", "[fd00:ec2::254]", "11.0.0.1"],
    ...["localhost", "localhost.", "LOCALHOST", "10.9.9.9", "[2002:7f00:1::]"],
  ];
  const urls = hosts.map((host) => `http://${host}/`);
  const plain = await script(statuses(urls), ["*", "**.example", "**.localhost"]);
  const lines = plain.stdout.split("\n");
  assertEquals(lines.slice(0, urls.length), Array(urls.length).fill("403 000"));
  assert(!plain.stdout.includes("SECRET"), plain.stdout);
  const tunnels = await script(statuses(urls, "--proxytunnel"), [
    "*",
    "**.example",
    "**.localhost",
  ]);
  assertEquals(tunnels.stdout.match(/^000 403$/gm)?.length, urls.length, tunnels.stdout);
  const socks = await script(
    statuses(urls, "--proxy socks5h://127.0.0.1:3128"),
    ["*", "**.example", "**.localhost"],
  );
  assertEquals(socks.stdout.match(/^000 000$/gm)?.length, urls.length, socks.stdout);
  assert(!(tunnels.stdout + socks.stdout).includes("SECRET"));
});

testInWorld(
  "a name that changes its address: it is connected to what was judged",
  async (world) => {
    const { stdout } = await world.script(
      statuses(Array(12).fill("http://flip.example/hello")),
      ["flip.example"],
    );
    const lines = stdout.split("\n").slice(0, 12);
    assertEquals([...new Set(lines)].sort(), ["200 000", "403 000"]);
    assert(!stdout.includes("SECRET"), stdout);
  },
);

testInWorld("a redirect to a host that is refused ends there", async ({ script }) => {
  const outcome = await script(
    `curl -sSL http://good.example/to/other.example/hello
    curl -sSL http://good.example/to/127.0.0.1/
    curl -sSL http://good.example/to/good.example/hello; false`,
    ["good.example"],
  );
  assertEquals(outcome.stdout.split("\n"), [
    "remex: other.example is not among the allowed domains",
    "remex: 127.0.0.1 is an address of this machine or a private network, which no rule names",
    "hello from good.example",
    "",
  ]);
  assertObjectMatch(exited(outcome), {
    exitCode: 1,
    sandboxDenied: true,
    networkDenied: ["other.example:80", "127.0.0.1:80"],
    networkReached: ["good.example:80"],
  });
});

testInWorld("port 25, other servers' names in TLS, other hosts in Host", async ({ script }) => {
  const outcome = await script(
    `curl -sS http://good.example:25/hello
    curl -sS --proxytunnel http://good.example:25/hello
    curl -sSk --connect-to other.example:443:good.example:443 https://other.example/hello
    curl -sSk --connect-to other.example:443:good.example:443 --proxy socks5h://127.0.0.1:3128 \\
      https://other.example/hello
    curl -sS -H 'Host: other.example' http://good.example/hello`,
    ["good.example"],
  );
  assertEquals(outcome.stdout.split("\n"), [
    "remex: port 25 of good.example is not reached by any rule",
    "hello from good.example",
    "",
  ]);
  assertMatch(outcome.stderr, /CONNECT tunnel failed, response 403/);
  assertObjectMatch(exited(outcome), { networkDenied: ["good.example:25", "good.example:443"] });
});

testInWorld("two hosts at one address do not stand for each other", async ({ script }) => {
  const { stdout } = await script(
    statuses([
      "http://www.good.example/hello",
      "http://registry.example/hello",
      "http://11.0.0.2/",
    ]),
    ["good.example"],
  );
  assertEquals(stdout.split("\n").slice(0, 3), Array(3).fill("403 000"));
});

testInWorld("half-closed connections, and readers that take their time", async ({ script }) => {
  const { stdout, stderr } = await script(
    `python3 -c '
import socket, time
def tunnel(rest):
    client = socket.create_connection(("127.0.0.1", 3128))
    client.sendall(b"CONNECT good.example:80 HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n" + rest)
    return client
get = b"GET %s HTTP/1.0\\r\\nHost: good.example\\r\\n\\r\\n"
client = tunnel(get % b"/hello"); client.shutdown(socket.SHUT_WR)
print(client.makefile("rb").read().endswith(b"hello from good.example\\n"))
client = socket.socket(); client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
client.connect(("127.0.0.1", 3128))
client.sendall(b"GET http://good.example/zeros/20000000 HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n")
time.sleep(0.5)
total = 0
while part := client.recv(1 << 20):
    total += len(part)
    if total > 20000000: break
print(total > 20000000)
'`,
    ["good.example"],
  );
  assertEquals({ stdout, stderr }, { stdout: "True\nTrue\n", stderr: "" });
});

testInWorld("what a client asks for and cannot have is refused by name", async ({ client }) => {
  const refusals: [member: string, value: unknown][] = [
    ["enabled", false],
    ["transparentTcp", true],
    ["dangerouslyAllowAllUnixSockets", true],
    ["unixSockets", { "/run/x.sock": "allow" }],
    ...["http://a.example", "a.example/x", "", "a.example:443", "*.*.a", "xn--zzzz-", "a b"]
      .map((pattern): [string, unknown] => ["domains", { [pattern]: "allow" }]),
    ["domains", { "a.example": "maybe" }],
    ["mode", "other"],
    ["reviewDomains", ["http://a.example"]],
    ["credentialMasking", true],
    ["whateverComesNext", { hosts: [] }],
  ];
  for (const [member, value] of refusals) {
    const answer = await client.request("process/start", {
      processId: `refused ${member} ${JSON.stringify(value)}`,
      argv: ["/bin/true"],
      cwd: "file:///",
      env: {},
      tty: false,
      networkProxy: { proxy: networkProxy([], { [member]: value }) },
    });
    assertObjectMatch(answer, { error: { code: -32602 } });
    assertMatch(JSON.stringify(answer), new RegExp(`networkProxy\\.proxy\\.${member}`));
  }
});

testInWorld("one command's proxy is not another's", async ({ script }) => {
  const [one, other] = await Promise.all([
    script(statuses(Array(5).fill("http://good.example/hello")), ["good.example"]),
    script(statuses(Array(5).fill("http://good.example/hello")), ["second.example"]),
  ]);
  assertEquals(one.stdout.match(/^200 /gm)?.length, 5);
  assertEquals(other.stdout.match(/^403 /gm)?.length, 5);
});

testInWorld("the environment's own proxies and the client's variables", async ({ script }) => {
  const { stdout } = await script("env | grep -i '^[a-z]*_proxy='; echo $PIP_PROXY", ["*"], {
    env: { https_proxy: "http://mine" },
    envPolicy: {
      inherit: "all",
      ignoreDefaultExcludes: true,
      exclude: [],
      set: {},
      includeOnly: [],
    },
  });
  const lines = stdout.trim().split("\n");
  assert(lines.includes("HTTP_PROXY=http://127.0.0.1:3128"));
  assert(lines.includes("https_proxy=http://mine"));
  assert(lines.includes("NO_PROXY="));
  assertEquals(lines.at(-1), "http://127.0.0.1:3128");
}, { env: { HTTP_PROXY: "http://executors.own:1", NO_PROXY: "*", PIP_PROXY: "x" } });
