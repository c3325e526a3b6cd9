import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { path, special } from "../../sandbox/context.ts";
import { base64 } from "../support/base64.ts";
import { command, outputOf, shell, start, waitForOutput } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { type LoopbackServer, serveLoopback, startProxy, writeAll } from "./support/http_proxy.ts";
import { managed } from "./support/managed.ts";
import { python } from "./support/python.ts";
import { type SandboxedScene, testSandboxed } from "./support/sandboxed.ts";

/** An origin server that the proxy can reach, and the command cannot. */
function startOrigin(): LoopbackServer {
  return serveLoopback(async (connection, requests) => {
    const buffer = new Uint8Array(4096);
    const count = await connection.read(buffer) ?? 0;
    requests.push(new TextDecoder().decode(buffer.subarray(0, count)).split("\r\n")[0] ?? "");
    const body = "from the origin\n";
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    await writeAll(connection, head + body);
  });
}

testSandboxed("managed network: a proxy on the executor's loopback serves", async (scene) => {
  await using proxy = startProxy();
  await using origin = startOrigin();
  const url = `http://127.0.0.1:${origin.port}/a?b`;
  const { stdout, stderr } = await scene.script(
    `curl -sS --noproxy '' ${url}
    curl -sS --noproxy '' --proxytunnel ${url}
    http_proxy=http://localhost:${proxy.port} curl -sS --noproxy '' ${url}`,
    managed([proxy.port]),
  );
  assertEquals([stdout, stderr], ["from the origin\n".repeat(3), ""]);
  assertEquals(proxy.requests, [
    `GET ${url} HTTP/1.1`,
    `CONNECT 127.0.0.1:${origin.port} HTTP/1.1`,
    `GET ${url} HTTP/1.1`,
  ]);
  assertEquals(origin.requests, Array(3).fill("GET /a?b HTTP/1.1"));
});

testSandboxed("managed network: python finds the proxy in its environment", async (scene) => {
  await using proxy = startProxy();
  await using origin = startOrigin();
  const script = `
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:${origin.port}/").read().decode(), end="")
`;
  const { stdout, stderr } = await scene.run(python(script), managed([proxy.port]));
  assertEquals([stdout, stderr], ["from the origin\n", ""]);
  assertEquals(proxy.requests.length, 1);
});

testSandboxed("managed network: each of several ports leads to its own server", async (scene) => {
  const greet = (text: string) => serveLoopback((connection) => writeAll(connection, text));
  await using first = greet("first ");
  await using second = greet("second ");
  const script = `
for port in (${first.port}, ${second.port}):
    print(socket.create_connection(("127.0.0.1", port)).makefile().read(), end="")
`;
  const ports = [first.port, second.port, first.port];
  assertEquals((await scene.run(python(script), managed(ports))).stdout, "first second ");
});

/** Reads the system and the workspace, and nothing else. */
function restricted({ enclosed }: SandboxedScene): Message {
  const entries = [special("minimal", "read"), special("project_roots", "write")];
  const fileSystem = { type: "restricted", entries };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  return { sandbox: { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions } };
}

testSandboxed("managed network: certificates can be read, environment intact", async (scene) => {
  const bundle = `${scene.outside}/bundle.pem`;
  Deno.writeTextFileSync(bundle, "certificates\n", { mode: 0o644 });
  const network = managed([1]);
  const own = { ...isRecord(network.env) ? network.env : {}, SSL_CERT_FILE: bundle };
  const envPolicy = {
    inherit: "none",
    ignoreDefaultExcludes: false,
    exclude: ["*PROXY*", "SSL_*"],
    set: { HTTPS_PROXY: "http://elsewhere" },
    includeOnly: ["NOTHING"],
  };
  const script = `cat $SSL_CERT_FILE; env | sort; cat ${scene.outside}/secret`;
  for (const policy of [undefined, envPolicy]) {
    const more = { ...network, ...restricted(scene), env: own, envPolicy: policy };
    const { stdout, stderr } = await scene.script(script, more);
    const env = [...Object.entries(own), ["PWD", scene.workspace]].map((pair) => pair.join("="));
    assertEquals(
      stdout.split("\n").slice(0, -1).filter((line) => !line.startsWith("PWD=")),
      ["certificates", ...env.filter((line) => !line.startsWith("PWD=")).sort()],
    );
    assertMatch(stderr, /secret: No such file or directory/);
  }
  const withoutPorts = { ...restricted(scene), env: own };
  assertMatch((await scene.script(script, withoutPorts)).stderr, /bundle\.pem: No such file/);
  const denied = [special("root", "read"), path(bundle, "deny")];
  const fileSystem = { type: "restricted", entries: denied };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const more = { ...network, env: own, sandbox: { permissions } };
  assertMatch((await scene.script(script, more)).stderr, /bundle\.pem: Permission denied/);
});

testSandboxed("managed network: streams, signals and exit codes are as ever", async (scene) => {
  const { client, enclosed } = scene;
  const more = { ...enclosed, ...managed([1]) };
  await start(client, shell("input", "cat; exit 5", { ...more, pipeStdin: true }));
  await client.request("process/write", { processId: "input", chunk: base64("x"), writeId: "w" });
  await client.request("process/closeStdin", { processId: "input" });
  const events = await client.events("input");
  assertEquals(outputOf(events, "stdout"), "x");
  assertObjectMatch(events.at(-2) ?? {}, { params: { exitCode: 5, sandboxDenied: false } });
  for (const tty of [false, true]) {
    const id = `tty ${tty}`;
    const script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.02; done";
    await start(client, shell(id, script, { ...more, tty }));
    await waitForOutput(client, id, "ready");
    await client.request("process/signal", { processId: id, signal: "interrupt" });
    assertObjectMatch((await client.events(id)).at(-2) ?? {}, { params: { exitCode: 7 } });
  }
  const size = { tty: true, terminalSize: { rows: 12, cols: 34 } };
  assertEquals((await scene.script("stty size", { ...more, ...size })).pty, "12 34\r\n");
});

testSandboxed("managed network: a command may listen where that is allowed", async (scene) => {
  await using proxy = startProxy();
  const script = `
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
client.sendall(b"own")
print(server.accept()[0].recv(3).decode())
say(lambda: socket.create_server(("127.0.0.1", ${proxy.port})))
say(lambda: connect(("127.0.0.1", ${proxy.port})))
say(lambda: socket.create_server(("127.0.0.1", 80)))
say(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
`;
  const bound = await scene.run(python(script), managed([proxy.port], true));
  assertEquals([bound.stderr, bound.stdout], ["", "own\nEADDRINUSE\nok\nEACCES\nEPERM\n"]);
});

testSandboxed("managed network: what one command listens on is its own", async (scene) => {
  const { client, enclosed } = scene;
  const script = `
server = socket.create_server(("0.0.0.0", 0))
print("port", server.getsockname()[1], flush=True)
server.accept()
`;
  const more = { ...enclosed, ...managed([], true) };
  await start(client, command("server", python(script), more));
  let said = "";
  while (!/port \d+\n/.test(said)) said += outputOf([await client.event("server")], "stdout");
  const port = Number(/\d+/.exec(said)?.[0]);
  const attempt = python(`say(lambda: connect(("127.0.0.1", ${port})))`);
  assertEquals((await scene.run(attempt, { sandbox: null })).stdout, "ECONNREFUSED\n");
  assertEquals((await scene.run(attempt, managed([], true))).stdout, "ECONNREFUSED\n");
  // Not even one that is let through to this port gets to anything but the host's.
  assertMatch((await scene.run(attempt, managed([port]))).stdout, /ok|ECONNRESET|ECONNREFUSED/);
  await client.request("process/terminate", { processId: "server" });
  assertObjectMatch((await client.events("server")).at(-2) ?? {}, { params: { exitCode: 137 } });
});
