import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testInWorld, type World } from "./support/world.ts";

testInWorld("curl over HTTP, HTTPS and SOCKS5", async ({ script }) => {
  const { stdout, stderr } = await script(
    `curl -sS http://good.example/hello https://good.example/hello
    curl -sS -d body http://good.example/ https://good.example/
    curl -sS --proxy socks5h://127.0.0.1:3128 http://good.example/hello https://good.example/hello
    curl -sS --proxytunnel http://good.example:8080/hello`,
    ["good.example"],
  );
  assertEquals({ stdout: stdout.split("\n"), stderr }, {
    stdout: [
      ...["hello from good.example", "hello from good.example", "posted body", "posted body"],
      ...["hello from good.example", "hello from good.example", "hello from good.example:8080", ""],
    ],
    stderr: "",
  });
});

testInWorld("git clones over HTTPS", async (world) => {
  const { stdout, exitCode, stderr } = await world.script(
    `git clone -q https://git.example/${await makeRepository(world)} cloned && cat cloned/file`,
    ["git.example"],
  );
  assertEquals({ stdout, stderr, exitCode }, { stdout: "cloned\n", stderr: "", exitCode: 0 });
}, { needs: ["git"] });

/** Makes a repository that is served. Returns its name. */
async function makeRepository({ mechanism, files, directory }: World): Promise<string> {
  const name = `${mechanism}.git`;
  directory.write(`${mechanism}/file`, "cloned\n");
  const script = `cd ${directory.path}/${mechanism} && git init -q && git add file &&
    git -c user.name=x -c user.email=x@x commit -qm first &&
    git clone -q --bare . ${files}/${name} && cd ${files}/${name} && git update-server-info`;
  const { success } = await new Deno.Command("/bin/sh", { args: ["-c", script] }).output();
  assert(success);
  return name;
}

testInWorld("npm installs from a registry", async (world) => {
  const { files, script, directory } = world;
  directory.write("package/package.json", '{"name":"little","version":"1.0.0"}');
  directory.write("package/index.js", 'module.exports = "installed";');
  const packed = await new Deno.Command("tar", {
    args: ["-czf", `${files}/little-1.0.0.tgz`, "-C", directory.path, "package"],
  }).output();
  assert(packed.success);
  const tarball = "https://registry.example/little-1.0.0.tgz";
  const version = { name: "little", version: "1.0.0", dist: { tarball } };
  const metadata = {
    name: "little",
    "dist-tags": { latest: "1.0.0" },
    versions: { "1.0.0": version },
  };
  Deno.writeTextFileSync(`${files}/little`, JSON.stringify(metadata));
  const { stdout, stderr, exitCode } = await script(
    `npm install --silent --no-audit --no-fund --registry https://registry.example/ little &&
    node -e 'console.log(require("little"))'`,
    ["registry.example"],
  );
  assertStringIncludes(stdout, "installed");
  assertEquals(exitCode, 0, stderr);
}, { needs: ["npm", "node"] });

/** The interpreter itself: what stands for it on PATH may want to write somewhere. */
const PYTHON = new TextDecoder().decode(
  new Deno.Command("python3", { args: ["-c", "import sys; print(sys.executable)"] }).outputSync()
    .stdout,
).trim();

testInWorld("pip installs from an index", async ({ files, directory, script }) => {
  const wheel = "little-1.0.0-py3-none-any.whl";
  const metadata = "Metadata-Version: 2.1\nName: little\nVersion: 1.0.0\n";
  directory.write("wheel/little.py", 'text = "installed"\n');
  directory.write("wheel/little-1.0.0.dist-info/METADATA", metadata);
  directory.write(
    "wheel/little-1.0.0.dist-info/WHEEL",
    "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  );
  directory.write("wheel/little-1.0.0.dist-info/RECORD", "");
  Deno.mkdirSync(`${files}/simple/little`, { recursive: true });
  const packed = await new Deno.Command("python3", {
    args: ["-m", "zipfile", "-c", `${files}/${wheel}`, "little.py", "little-1.0.0.dist-info"],
    cwd: `${directory.path}/wheel`,
  }).output();
  assert(packed.success);
  Deno.writeTextFileSync(
    `${files}/simple/little/index.html`,
    `<!DOCTYPE html><a href="/${wheel}">${wheel}</a>`,
  );
  const { stdout, stderr, exitCode } = await script(
    `${PYTHON} -m pip install -q --no-cache-dir --disable-pip-version-check --root-user-action ignore \\
      --index-url https://packages.example/simple --target installed little &&
    PYTHONPATH=installed ${PYTHON} -c 'import little; print(little.text)'`,
    ["packages.example"],
  );
  assertEquals({ stdout, exitCode }, { stdout: "installed\n", exitCode: 0 }, stderr);
}, { needs: ["pip3"] });

testInWorld("Python's own HTTP client", async ({ script }) => {
  const { stdout } = await script(
    `python3 -c '
import urllib.request
for url in ("http://good.example/hello", "https://good.example/hello"):
    print(urllib.request.urlopen(url).read().decode(), end="")
try: urllib.request.urlopen("http://other.example/")
except urllib.error.HTTPError as error: print(error.code, error.headers["x-proxy-error"], error.read().decode(), end="")
'`,
    ["good.example"],
  );
  assertEquals(stdout.split("\n"), [
    "hello from good.example",
    "hello from good.example",
    "403 blocked-by-allowlist remex: other.example is not among the allowed domains",
    "",
  ]);
});

testInWorld("a WebSocket, through a tunnel and through a plain request", async ({ script }) => {
  const { stdout, stderr } = await script(
    `python3 -c '
import http.client, ssl
HEADERS = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
def echo(connection, url):
    connection.request("GET", url, headers=HEADERS)
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"): head += connection.sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
    connection.sock.sendall(b"\\x81\\x05hello"); print(connection.sock.recv(99)[2:].decode())
tunnel = http.client.HTTPSConnection("127.0.0.1", 3128)
tunnel.set_tunnel("good.example", 443); echo(tunnel, "/ws")
echo(http.client.HTTPConnection("127.0.0.1", 3128), "http://good.example/ws")
'`,
    ["good.example"],
  );
  assertEquals({ stdout, stderr }, { stdout: "hello\nhello\n", stderr: "" });
});

testInWorld("Node finds the proxy by its own switch", async ({ script }) => {
  const { stdout } = await script(
    `node -e 'fetch("https://good.example/hello").then((r) => r.text()).then((t) => console.log(t))'`,
    ["good.example"],
  );
  assertMatch(stdout, /^hello from good\.example$/m);
}, {
  needs: ["node && node -e 'process.exit(Number(process.versions.node.split(\".\")[0]) < 24)'"],
});

testInWorld("500 connections at once", async ({ script }) => {
  const { stdout, stderr } = await script(
    `ulimit -n 2000; python3 -c '
import socket
sockets = []
for _ in range(500):
    client = socket.create_connection(("127.0.0.1", 3128))
    client.sendall(b"CONNECT good.example:80 HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n")
    sockets.append(client)
for client in sockets: assert client.recv(999).startswith(b"HTTP/1.1 200"), "no tunnel"
for client in sockets: client.sendall(b"GET /hello HTTP/1.0\\r\\nHost: good.example\\r\\n\\r\\n")
print(sum(client.makefile("rb").read().endswith(b"hello from good.example\\n") for client in sockets))
'`,
    ["good.example"],
  );
  assertEquals({ stdout, stderr }, { stdout: "500\n", stderr: "" });
});
