import { assertEquals, assertObjectMatch } from "@std/assert";
import { canRunBubblewrap } from "../sandbox/linux/sandboxed_run.ts";
import { command, run, shell, start, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { ENOSYS, withoutCalls } from "../support/without_calls.ts";
import { openWebSocket } from "./support/websocket_client.ts";

/** pidfd_open(2), which gVisor does not have. */
const PIDFD_OPEN = 434;

Deno.test({
  name: "commands run where the kernel has no descriptors of processes",
  ignore: !canRunBubblewrap,
  fn: async () => {
    const launcher = withoutCalls([PIDFD_OPEN], ENOSYS);
    await using executor = await ListeningExecutor.start({ launcher });
    await using client = await openWebSocket(executor.url);
    const codes = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const { stdout, exitCode } = await run(client, shell(`${index}`, `echo o; exit ${index}`));
        return stdout === "o\n" && exitCode === index;
      }),
    );
    assertEquals(codes.filter((right) => !right), []);
    await start(client, shell("long", "echo up; sleep 1000"));
    await waitForOutput(client, "long", "up");
    assertObjectMatch(await client.request("process/terminate", { processId: "long" }), {
      result: { running: true },
    });
    assertEquals((await client.events("long")).at(-1)?.method, "process/closed");
    assertObjectMatch(await client.request("process/start", command("no", ["/no/such"])), {
      error: { code: -32603 },
    });
  },
});
