import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { run, shell } from "./support/commands.ts";
import { ended, ListeningExecutor, remex, runToEnd } from "./support/executor.ts";
import { eventually } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** Runs the program with redirections of the shell's. */
function redirected(redirections: string): { launcher: string[] } {
  return { launcher: ["bash", "-c", `exec "$0" "$@" ${redirections}`] };
}

/** Standard output is a pipe that nobody reads any more. */
const READER_GONE = {
  launcher: ["bash", "-c", 'exec 3> >(:); wait $!; exec "$0" "$@" >&3 3>&-'],
};

const PRINTING = [
  ["--version"],
  ["--help"],
  ["help"],
  ["serve", "--help"],
  ["exec", "--help"],
  ["config", "--help"],
  ["doctor", "--help"],
  ["token"],
  ["token", "--help"],
];

for (const args of PRINTING) {
  const line = `remex ${args.join(" ")}`;

  Deno.test(`${line}: a full disk under its output is told of`, async () => {
    const { code, stderr } = await runToEnd(args, "", redirected(">/dev/full"));
    assertEquals([code, stderr], [1, "remex: No space left on device (os error 28)\n"]);
  });

  Deno.test(`${line}: ends without a word when nobody reads its output`, async () => {
    const { code, stderr } = await runToEnd(args, "", READER_GONE);
    assertEquals([code, stderr], [141, ""]);
  });
}

Deno.test("a message that finds no room keeps its exit code", async () => {
  const child = remex(["nonsense"], redirected("2>/dev/full"));
  await child.stdin.close();
  await child.stdout.cancel();
  assertEquals((await ended(child)).code, 2);
});

for (
  const [what, options] of [
    ["is full", redirected(">/dev/full")],
    ["is read by nobody", READER_GONE],
  ] as const
) {
  Deno.test(`an executor serves though the place for its address ${what}, and says so`, async () => {
    using directory = new TemporaryDirectory();
    const path = join(directory.path, "socket");
    const log = join(directory.path, "log");
    Deno.writeTextFileSync(log, "");
    const { launcher: [shell = "", flag = "", script = ""] } = options;
    const child = remex(["serve", "--grace", "0", "--listen", `unix:${path}`], {
      launcher: [shell, flag, `${script} 2>>${log}`],
      env: { PATH: "/usr/bin:/bin", HOME: directory.path, REMEX_LOG: "warn" },
    });
    const logged = () => Deno.readTextFileSync(log);
    try {
      await eventually(() => logged().includes("\n"), "a line in the log");
      assertMatch(logged(), /warn the address could not be printed .*socket/);
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(new TextEncoder().encode("GET /readyz HTTP/1.0\r\n\r\n"));
      assertMatch(await new Response(connection.readable).text(), /^HTTP\/1\.\d 200 /);
    } finally {
      child.kill("SIGTERM");
      await child.stdin.close();
      await child.stdout.cancel();
      assertEquals((await ended(child)).code, 0);
    }
    assertEquals([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["log"]);
  });
}

Deno.test("an executor whose log finds no room serves on", async () => {
  await using executor = await ListeningExecutor.start({
    ...redirected("2>/dev/full"),
    env: { PATH: "/usr/bin:/bin", REMEX_LOG: "debug" },
  });
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  const { stdout, exitCode } = await run(client, shell("one", "echo out; exit 3"));
  assertEquals([stdout, exitCode], ["out\n", 3]);
  await client.close();
  assertEquals((await executor.endBy("SIGTERM")).code, 0);
});

Deno.test("an executor over stdio ends when its answers cannot be written", async () => {
  const child = remex(["serve", "--listen", "stdio"], redirected(">/dev/full"));
  await child.stdout.cancel();
  const writer = child.stdin.getWriter();
  const message = { id: 1, method: "initialize", params: { clientName: "test" } };
  await writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  try {
    assertEquals((await ended(child)).code, 0);
  } finally {
    await writer.abort().catch(() => {});
  }
});
