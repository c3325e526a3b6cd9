import { assertEquals } from "@std/assert";
import { command, run, stdoutOf } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { openWebSocket } from "./support/websocket_client.ts";

const LINUX = { ignore: Deno.build.os !== "linux" };

/** The program under test with this soft limit of open files. */
function withSoftLimit(soft: number): { readonly launcher: readonly string[] } {
  return { launcher: ["/bin/sh", "-c", `ulimit -Sn ${soft}; exec "$@"`, "sh"] };
}

Deno.test({
  name: "commands are born with the limit of open files that the executor was started with",
  ...LINUX,
  fn: async () => {
    await using executor = await ListeningExecutor.start(withSoftLimit(512));
    await using client = await openWebSocket(executor.url);
    // Its first instructions tell; a limit set later would reach some of so many too late.
    const limits = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const id = `command ${index}`;
        const { stdout } = await run(client, command(id, ["/bin/cat", "/proc/self/limits"]));
        return /^Max open files +(\d+)/m.exec(stdout)?.[1];
      }),
    );
    assertEquals(new Set(limits), new Set(["512"]));
    const own = Deno.readTextFileSync(`/proc/${executor.pid}/limits`);
    assertEquals(Number(/^Max open files +(\d+)/m.exec(own)?.[1]) > 512, true);
  },
});

Deno.test({
  name: "a command keeps the limit of open files that it has set itself",
  ...LINUX,
  fn: async () => {
    await using executor = await ListeningExecutor.start(withSoftLimit(512));
    await using client = await openWebSocket(executor.url);
    const argv = ["/bin/sh", "-c", "ulimit -Sn 300; sleep 0.1; ulimit -Sn"];
    const said = await Promise.all(
      Array.from({ length: 50 }, (_, index) => stdoutOf(client, command(`${index}`, argv))),
    );
    assertEquals(new Set(said), new Set(["300\n"]));
  },
});

Deno.test({
  name: "a command is born with what the executor inherited: umask, niceness, limits, timer slack",
  ...LINUX,
  fn: async () => {
    const script = "umask 027; ulimit -c 0; ulimit -s 4096; renice -n 5 -p $$ >/dev/null; " +
      'echo 70000 > /proc/self/timerslack_ns; exec "$@"';
    const asked = [
      "/bin/sh",
      "-c",
      "umask; ulimit -c; ulimit -s; cat /proc/self/stat | cut -d' ' " +
      "-f19; cat /proc/$$/timerslack_ns; cat /proc/self/status | grep -E '^Sig(Blk|Ign|Cgt)'",
    ];
    const launcher = ["/bin/sh", "-c", script, "sh"];
    await using executor = await ListeningExecutor.start({ launcher });
    await using client = await openWebSocket(executor.url);
    const none = "0000000000000000";
    assertEquals(
      await stdoutOf(client, command("p", asked)),
      `0027\n0\n4096\n5\n70000\nSigBlk:\t${none}\nSigIgn:\t${none}\nSigCgt:\t${none}\n`,
    );
  },
});
