import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { serveLoopback, writeAll } from "../sandbox/support/http_proxy.ts";
import { execToEnd } from "../support/exec_run.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const SANDBOX = ["--stdio", "--sandbox", "workspace-write"];

function serveHello() {
  return serveLoopback(async (connection) => {
    await connection.read(new Uint8Array(4096));
    await writeAll(connection, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
  });
}

/** Runs a script with options, in a directory of its own. */
async function exec(options: readonly string[], script: string) {
  using directory = new TemporaryDirectory();
  return await execToEnd([
    ...["--cwd", directory.path, ...options, "--", "/bin/sh", "-c", script],
  ]);
}

Deno.test({
  name: "exec: a host is reached by name, and what was reached and refused is told",
  ignore: !canRunBubblewrap,
  fn: async () => {
    await using server = serveHello();
    const { code, stdout, stderr } = await exec(
      [...SANDBOX, "--allow-domain", "127.0.0.1", "--deny-domain", "*.example", "--report-network"],
      `curl -sS http://127.0.0.1:${server.port}/ http://a.example/ http://b.test/; exit 3`,
    );
    assertEquals({ code, stdout: stdout.split("\n"), stderr: stderr.split("\n") }, {
      code: 3,
      stdout: [
        "hello",
        "remex: a.example is among the denied domains",
        "remex: b.test is not among the allowed domains",
        "",
      ],
      stderr: [
        `remex: reached 127.0.0.1:${server.port}`,
        "remex: refused a.example:80",
        "remex: refused b.test:80",
        "",
      ],
    });
  },
});

Deno.test({
  name: "exec: full access but for the network",
  ignore: !canRunBubblewrap,
  fn: async () => {
    await using server = serveHello();
    const { stdout } = await exec(
      ["--stdio", "--sandbox", "danger-full-access", "--allow-domain", "good.example"],
      `curl -sS http://127.0.0.1:${server.port}/
      curl -s --noproxy '*' http://127.0.0.1:${server.port}/ || echo $?`,
    );
    assertMatch(stdout, /^remex: 127\.0\.0\.1 is an address of this machine .*\n7\n$/);
  },
});

Deno.test({
  name: "exec: workspace-write has a loopback of its own, on which nobody else is",
  ignore: !canRunBubblewrap,
  fn: async () => {
    await using server = serveHello();
    const script = `/usr/bin/python3 -c '
import socket
def attempt(action):
    try: print(action())
    except OSError as error: print(error.errno)
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    server = socket.socket(family); server.bind((host, 0)); server.listen()
    client = socket.create_connection(server.getsockname()[:2]); client.sendall(b"tcp")
    print(server.accept()[0].recv(9))
    one = socket.socket(family, socket.SOCK_DGRAM); one.bind((host, 0))
    one.sendto(b"udp", one.getsockname()); print(one.recv(9))
attempt(lambda: socket.create_connection(("127.0.0.1", ${server.port}), 5))
attempt(lambda: socket.create_connection(("8.8.8.8", 53), 5))
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("8.8.8.8", 53)))
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt(lambda: socket.socket(socket.AF_UNIX))
attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
'`;
    const { stdout, stderr } = await exec(SANDBOX, script);
    assertEquals({ stdout: stdout.trim().split("\n"), stderr }, {
      stdout: [
        ...["b'tcp'", "b'udp'", "b'tcp'", "b'udp'"],
        ...["111", "101", "101", "1", "1", "1", "1"],
      ],
      stderr: "",
    });
  },
});

Deno.test({
  name: "exec: two commands do not meet on their loopbacks",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using shared = new TemporaryDirectory();
    const serve = execToEnd([
      ...["--cwd", shared.path, ...SANDBOX, "--", "/usr/bin/python3", "-c"],
      `
import os, socket, time
server = socket.create_server(("127.0.0.1", 4321)); open("serving", "w").close()
server.settimeout(0.01)
while not os.path.exists("tried"):
    try: server.accept(); print("met")
    except TimeoutError: pass
`,
    ]);
    const connect = execToEnd([
      ...["--cwd", shared.path, ...SANDBOX, "--", "/usr/bin/python3", "-c"],
      `
import os, socket, time
while not os.path.exists("serving"): time.sleep(0.01)
try: socket.create_connection(("127.0.0.1", 4321), 5); print("met")
except OSError as error: print(error.errno)
open("tried", "w").close()
`,
    ]);
    assertEquals([(await connect).stdout, (await serve).stdout], ["111\n", ""]);
  },
});

Deno.test("exec: rules that cannot be understood are refused before anything runs", async () => {
  const cases: [options: string[], named: string][] = [
    [
      ["--allow-domain", "http://a.example"],
      "--allow-domain: the domain pattern 'http://a.example'",
    ],
    [["--allow-domain", "a.example/x"], "--allow-domain: the domain pattern 'a.example/x'"],
    [["--allow-domain", ""], "--allow-domain: a domain pattern is empty"],
    [["--deny-domain", "xn--zzzz-"], "--deny-domain: the domain pattern 'xn--zzzz-'"],
    [["--allow-domain", "a.example", "--deny-domain", "a.example"], "both allowed and denied"],
  ];
  for (const [options, named] of cases) {
    const { code, stdout, stderr } = await exec([...SANDBOX, ...options], "echo ran");
    assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
    assertStringIncludes(stderr, named);
  }
  const { code, stderr } = await exec(["--stdio", "--allow-domain", "a.example"], "echo ran");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "are of use with --sandbox only");
});
