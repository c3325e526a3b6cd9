import { assertEquals, assertObjectMatch } from "@std/assert";
import { assembleBpf } from "../../src/sandbox/seccomp/bpf.ts";
import { canRunBubblewrap } from "../sandbox/linux/sandboxed_run.ts";
import { command, run, shell, start, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { openWebSocket } from "./support/websocket_client.ts";

const PIDFD_OPEN = 434;
const ALLOW = 0x7fff0000;
/** SECCOMP_RET_ERRNO with ENOSYS (seccomp(2)). */
const NO_SUCH_CALL = 0x00050000 | 38;

/** Answers pidfd_open(2) as a kernel does that does not know it; gVisor is one. */
const filter = assembleBpf([
  { op: "load", offset: 0 },
  { op: "branch", test: "equal", value: PIDFD_OPEN, outcome: false, to: "allow" },
  { op: "return", value: NO_SUCH_CALL },
  { op: "label", name: "allow" },
  { op: "return", value: ALLOW },
]);

Deno.test({
  name: "commands run where the kernel has no descriptors of processes",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    Deno.writeFileSync(`${directory.path}/filter`, filter);
    const script = 'exec 3<"$1"; shift; exec bwrap --dev-bind / / --seccomp 3 -- "$@"';
    const launcher = ["/bin/sh", "-c", script, "sh", `${directory.path}/filter`];
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
