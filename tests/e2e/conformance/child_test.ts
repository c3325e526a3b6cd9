import { assertEquals } from "@std/assert";
import { testBoth } from "../support/both_transports.ts";
import { run, shell, stdoutOf } from "../support/commands.ts";

/** Prints process id, process group and session of the shell that runs it (proc(5)). */
const IDS = 'set -- $(cat /proc/$$/stat); echo "$1 $5 $6"';

testBoth("a command leads a session of its own", async ({ open }) => {
  await using client = await open();
  const [pid, group, session] = (await stdoutOf(client, shell("p", IDS))).trim().split(" ");
  assertEquals([group, session], [pid, pid]);
});

testBoth("without tty and pipeStdin standard input is at its end", async ({ open }) => {
  await using client = await open();
  assertEquals(await stdoutOf(client, shell("p", "cat; readlink /proc/self/fd/0")), "/dev/null\n");
});

testBoth("a command inherits no other descriptor", async ({ open }, t) => {
  await using client = await open();
  for (const more of [{}, { pipeStdin: true }, { tty: true }]) {
    await t.step(JSON.stringify(more), async () => {
      const processId = JSON.stringify(more);
      // ls itself opens the directory that it lists.
      const { stdout, pty } = await run(
        client,
        shell(processId, "ls /proc/self/fd | tr '\\n' ' '", more),
      );
      assertEquals(stdout + pty, "0 1 2 3 ");
    });
  }
});

testBoth("tty runs a command on a terminal of 24 rows and 80 columns", async ({ open }) => {
  await using client = await open();
  const script =
    `${IDS}; tty < /dev/tty > /dev/null && echo controlling; test -t 0 -a -t 1 -a -t 2 &&
    echo terminal; stty size; stty -a | tr ' ' '\\n' | grep -x -e echo -e icanon -e isig -e onlcr`;
  const { pty } = await run(client, shell("p", script, { tty: true }));
  const [ids, ...lines] = pty.trimEnd().split("\r\n");
  const [pid, group, session] = ids?.split(" ") ?? [];
  assertEquals([group, session], [pid, pid]);
  assertEquals(lines.slice(0, 3), ["controlling", "terminal", "24 80"]);
  assertEquals(lines.slice(3).sort(), ["echo", "icanon", "isig", "onlcr"]);
});

testBoth("signals are at their defaults and none is blocked", async ({ open }) => {
  await using client = await open();
  const script = "grep -E '^Sig(Blk|Ign):' /proc/self/status | cut -f 2";
  assertEquals(await stdoutOf(client, shell("p", script)), "0000000000000000\n".repeat(2));
});
