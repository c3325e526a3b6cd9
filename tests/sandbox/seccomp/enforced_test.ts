import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { NetworkMode } from "../../../src/sandbox/seccomp/filter.ts";
import { isInstalled, probe, probeCommand, runEnclosed } from "./seccomp_enclosure.ts";

const networks: NetworkMode[] = ["enabled", "restricted", "proxied", "proxiedWithBinding"];
const needed = ["bwrap", "python3"].filter((program) => !isInstalled(program));

/** A test that needs the programs that are `needed` anyway, and those given. */
function enforced(name: string, fn: () => Promise<void>, programs: string[] = []): void {
  const missing = [...needed, ...programs.filter((program) => !isInstalled(program))];
  const reason = missing.length > 0 ? ` (not installed: ${missing.join(", ")})` : "";
  Deno.test({ name: `seccomp enforced: ${name}${reason}`, ignore: missing.length > 0, fn });
}

enforced("what is always denied", async () => {
  const open = await probe(undefined, "always");
  // The probe itself is sound: nothing else stands in the way of these.
  for (const name of ["ptrace", "process_vm_readv", "unshare", "clone", "mount", "chroot"]) {
    assertEquals(open[name], "ok", name);
  }
  assertNotEquals(open.setns, "EPERM");
  for (const network of networks) {
    for (const [name, result] of Object.entries(await probe(network, "always"))) {
      const expected = ["clone3", "a call of the future"].includes(name) ? "ENOSYS" : "EPERM";
      assertEquals(result, expected, `${name}, network ${network}`);
    }
  }
});

enforced("which sockets there are", async () => {
  const pairs = { "pair stream": "ok", "pair seqpacket": "ok" };
  const noDatagramPairs = { "pair datagram": "EPERM", "pair raw": "EPERM" };
  const noUnixDatagrams = { "unix datagram": "EPERM", "unix raw": "EPERM" };
  const nothingElse = { udp: "EPERM", raw: "EPERM", mptcp: "EPERM", netlink: "EPERM" };
  const proxied = {
    ...pairs,
    ...noDatagramPairs,
    ...noUnixDatagrams,
    ...nothingElse,
    tcp: "ok",
    tcp6: "ok",
    "unix stream": "EPERM",
    "unix seqpacket": "EPERM",
  };
  assertEquals(await probe("proxied", "sockets"), proxied);
  assertEquals(await probe("proxiedWithBinding", "sockets"), proxied);
  assertEquals(await probe("restricted", "sockets"), {
    ...pairs,
    ...noDatagramPairs,
    ...noUnixDatagrams,
    ...nothingElse,
    tcp: "EPERM",
    tcp6: "EPERM",
    "unix stream": "ok",
    "unix seqpacket": "ok",
  });
  const enabled = await probe("enabled", "sockets");
  for (const name of ["tcp", "udp", "netlink", "unix stream", "unix datagram", "pair datagram"]) {
    assertEquals(enabled[name], "ok", name);
  }
});

enforced("pairs do all that they are for", async () => {
  for (const network of networks) {
    const expected = { SOCK_STREAM: "123456", SOCK_SEQPACKET: "123456" };
    assertEquals(await probe(network, "pairs"), expected, network);
  }
});

/** What reached unix sockets of the host while `probe` tried to. */
async function reached(network: NetworkMode | undefined) {
  const directory = await Deno.makeTempDir();
  try {
    const paths = [`${directory}/stream`, `${directory}/datagram`];
    const [python = "", ...args] = probeCommand("listen", ...paths);
    await using host = new Deno.Command(python, { args, stdin: "piped", stdout: "piped" }).spawn();
    const output = host.stdout.pipeThrough(new TextDecoderStream());
    let ready = "";
    for await (const chunk of output.values({ preventCancel: true })) {
      ready += chunk;
      if (ready.endsWith("\n")) break;
    }
    assertEquals(ready, "ready\n");
    const results = await probe(network, "host_unix", paths, directory);
    await host.stdin.close();
    const counts: Record<string, number> = JSON.parse((await Array.fromAsync(output)).join(""));
    return { results, counts };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

enforced("unix sockets of the host are out of reach", async () => {
  const open = await reached(undefined);
  // Without the filter one connects, and sendto and sendmsg reach it through SOCK_DGRAM and SOCK_RAW.
  assertEquals(open.counts, { connections: 1, datagrams: 4 });
  for (const network of networks.slice(1)) {
    const { results, counts } = await reached(network);
    assertEquals(counts, { connections: 0, datagrams: 0 }, network);
    assertEquals(results["connect stream"], "EPERM");
    assertEquals(results["connect datagram"], "EPERM");
    assertEquals(results["SOCK_DGRAM pair"], "EPERM");
    assertEquals(results["SOCK_RAW pair"], "EPERM");
    assertEquals(results["SOCK_STREAM pair, stream: sendto"], "EPERM");
    assertEquals(results["SOCK_STREAM pair, datagram: sendmsg"], "EISCONN");
    if (network !== "restricted") continue;
    assertEquals(results["SOCK_STREAM pair, stream: connect"], "EPERM");
    assertEquals(results["unconnected: sendmsg"], "ENOTSUP");
    for (const call of ["bind", "listen", "accept"]) {
      assertEquals(results[`unconnected: ${call}`], "EPERM", call);
    }
  }
});

enforced("TCP through proxies", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  })();
  try {
    const port = String(listener.addr.port);
    const client = { echo: "hello", "by name": "hello", nodelay: "ok" };
    const closed = {
      "fast open by sendto": "EPERM",
      "fast open by sendmsg": "EPERM",
      ulp: "EPERM",
    };
    assertEquals(await probe("proxied", "tcp", [port]), {
      ...client,
      ...closed,
      serve: "EPERM",
      "listen unbound": "EPERM",
    });
    assertEquals(await probe("proxiedWithBinding", "tcp", [port]), {
      ...client,
      ...closed,
      serve: "ok",
      "listen unbound": "ok",
    });
  } finally {
    listener.close();
    await serving;
  }
});

Deno.test({
  name: "seccomp enforced: 32-bit calls kill, x32 calls are denied",
  // Machine code of x86.
  ignore: needed.length > 0 || Deno.build.arch !== "x86_64",
  async fn() {
    const SIGSYS = 31;
    // A kernel without 32-bit support has nothing for the filter to see: SIGSEGV.
    const supported = (await runEnclosed(undefined, probeCommand("foreign"))).code === 0;
    const killed = await runEnclosed("enabled", probeCommand("foreign"));
    assertEquals(killed.code, 128 + (supported ? SIGSYS : 11));
    assertEquals(await probe("enabled", "x32"), { getpid: "EPERM" });
  },
});

/** Runs a script in the strictest mode and gives its output. */
async function output(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await runEnclosed("restricted", command);
  assertEquals(code, 0, stderr);
  return stdout.trim();
}

enforced("python's processes, pools and event loops work", async () => {
  const script = `
import asyncio, multiprocessing, os, subprocess, threading
def double(value): return value * 2
def fill(queue): queue.put("queued")
async def child():
    process = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode().strip()
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(pool.map(double, [1, 2, 3]))
        queue = context.Queue()
        process = context.Process(target=fill, args=(queue,))
        process.start()
        print(queue.get())
        process.join()
    thread = threading.Thread(target=lambda: print("thread"))
    thread.start()
    thread.join()
    print(subprocess.run(["sh", "-c", "echo child | cat"], capture_output=True, text=True).stdout.strip())
    print(asyncio.run(child()))
`;
  const lines = await output("sh", "-c", 'printf %s "$0" >/tmp/x.py && python3 /tmp/x.py', script);
  const each = ["[2, 4, 6]", "queued"];
  assertEquals(lines.split("\n"), [...each, ...each, "thread", "child", "async"]);
});

enforced("job control of bash works on a terminal", async () => {
  const script = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "--norc", "-ic", "sleep 100 & kill -STOP %1; wait %1; bg; kill %1; wait %1; "
        "(sleep 0.1; exit 7) & fg; echo code=$?"])
text = b""
while True:
    try:
        chunk = os.read(terminal, 1000)
    except OSError:
        break
    if not chunk:
        break
    text += chunk
os.waitpid(pid, 0)
sys.stdout.write(text.decode())
`;
  const text = await output("python3", "-c", script);
  assert(text.includes("code=7"), text);
  assert(!text.includes("no job control"), text);
}, ["bash"]);

enforced("git works", async () => {
  const script = `cd /tmp && git init -q r && cd r && echo x >f && git add f &&
    git -c user.name=n -c user.email=e commit -qm first && cd .. &&
    git clone -q r copy && git -C copy log --format=%s`;
  assertEquals(await output("sh", "-c", script), "first");
}, ["git"]);

enforced("node's children, workers and channels work", async () => {
  const script = `
const { fork, spawnSync } = require("node:child_process");
const { Worker, isMainThread } = require("node:worker_threads");
if (process.send) {
  process.on("message", (value) => process.send(value + 1, () => process.disconnect()));
} else if (isMainThread) {
  console.log(spawnSync("sh", ["-c", "cat"], { input: "spawned" }).stdout.toString());
  const child = fork(__filename);
  child.on("message", (value) => {
    console.log(value);
    new Worker(__filename).on("exit", (code) => console.log("worker", code));
  });
  child.send(41);
}
`;
  const text = await output("sh", "-c", 'printf %s "$0" >/tmp/x.cjs && node /tmp/x.cjs', script);
  assertEquals(text.split("\n"), ["spawned", "42", "worker 0"]);
}, ["node"]);
