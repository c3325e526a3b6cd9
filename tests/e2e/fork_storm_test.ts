import { assertEquals } from "@std/assert";
import { canLimitMemory } from "../support/memory_group.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { eventually } from "../support/patience.ts";
import { command, shell, start, stdoutOf, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/**
 * Chains of processes, each of which starts the next, in a session of its own, and ends: none is there
 * for long enough to be looked up and then killed. The one that started them all waits.
 */
const CHAINS = `
  $SIG{TERM} = $SIG{HUP} = $SIG{INT} = "IGNORE";
  my $end = time + LIFE;
  for (1 .. 4) {
    next if fork;
    while (time < $end) {
      my $next = fork;
      POSIX::_exit(0) if $next;
      POSIX::setsid();
    }
    POSIX::_exit(0);
  }
  sleep LIFE;
`;

/** Processes that start as many more as they may, in sessions of their own. */
const CROWD = `
  $SIG{TERM} = $SIG{HUP} = $SIG{INT} = "IGNORE";
  pipe my $tickets, my $office;
  syswrite $office, "x" x 300;
  alarm LIFE;
  while (sysread $tickets, my $ticket, 1) { POSIX::setsid() unless fork }
`;

/** How long a storm may last if nobody ends it, in seconds: a failed test must not go on for good. */
const LIFE = 300;

/** Enough looks to be sure that nothing is there between two of them. */
const LOOKS = 25;

async function isGone(marked: MarkedProcesses): Promise<void> {
  const looks = Array.from({ length: LOOKS });
  await eventually(() => looks.every(() => marked.find().length === 0), "the end of the storm");
}

/** A chain of which nothing tells where it comes from: it has closed what its command writes to. */
const SILENT = CHAINS.replace("POSIX::setsid();", "POSIX::setsid(); POSIX::close($_) for 0 .. 2;");

for (const [name, storm, enough] of [["chains", CHAINS, 3], ["a crowd", CROWD, 200]] as const) {
  const begin = async (client: RawClient, marked: MarkedProcesses, more: Message = {}) => {
    const script = storm.replaceAll("LIFE", `${LIFE}`);
    const argv = ["/usr/bin/perl", "-MPOSIX", "-e", script, marked.duration];
    await start(client, command("storm", argv, more));
    await eventually(() => marked.find().length >= enough, "the storm");
  };

  Deno.test(`${name} of processes in sessions of their own end with their command`, async () => {
    await using marked = new MarkedProcesses();
    await using executor = await ListeningExecutor.start();
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    await using others = new MarkedProcesses();
    const script = `(setsid sleep ${others.duration} > /dev/null 2>&1 &); echo left; exec cat`;
    await start(client, shell("other", script, { pipeStdin: true }));
    await waitForOutput(client, "other", "left");
    await others.reach(1);
    await begin(client, marked);
    const answer = await client.request("process/terminate", { processId: "storm" });
    assertEquals(answer.result, { running: true });
    await isGone(marked);
    assertEquals(others.find().length, 1);
    assertEquals(await stdoutOf(client, shell("after", "echo served")), "served\n");
  });

  Deno.test(`${name} of processes in sessions of their own end with their executor`, async () => {
    await using marked = new MarkedProcesses();
    await using executor = await ListeningExecutor.start();
    const client = await connectWebSocket(executor.url);
    await client.initialize();
    await begin(client, marked);
    await executor.endBy("SIGTERM");
    await client.ended;
    await isGone(marked);
  });
}

Deno.test({
  name:
    "chains that nothing tells the origin of end with their command where it has a group of its own",
  ignore: !canLimitMemory,
  fn: async () => {
    await using marked = new MarkedProcesses();
    await using executor = await ListeningExecutor.start({}, [
      "--command-limits",
      "processes=5000",
    ]);
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    await start(client, shell("other", "echo here; exec cat", { pipeStdin: true }));
    await waitForOutput(client, "other", "here");
    const script = SILENT.replaceAll("LIFE", `${LIFE}`);
    const argv = ["/usr/bin/perl", "-MPOSIX", "-e", script, marked.duration];
    await start(client, command("storm", argv));
    await eventually(() => marked.find().length >= 3, "the storm");
    await client.request("process/terminate", { processId: "storm" });
    await isGone(marked);
    const read = await client.request("process/read", { processId: "storm" });
    assertEquals(isRecord(read.result) && "limitExceeded" in read.result, false);
  },
});
