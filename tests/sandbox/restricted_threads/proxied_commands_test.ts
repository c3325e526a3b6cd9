import { assertEquals } from "@std/assert";
import { closeDescriptor, writeDescriptor } from "../../../src/os/descriptor.ts";
import { processStatus } from "../../../src/os/procfs.ts";
import { openSocketPair } from "../../../src/os/sockets.ts";
import { ProxiedCommands } from "../../../src/sandbox/restricted_threads/proxied_commands.ts";
import { eventually } from "../../support/patience.ts";

const ignore = Deno.build.os !== "linux";
/** No process has it (pid_max, proc_sys_kernel(5)). */
const NOBODY = 1 << 30;

Deno.test({
  name: "a connection is that command's in whose session it was made, or else the latest's",
  ignore,
  fn: async () => {
    const commands = new ProxiedCommands();
    const taken: string[] = [];
    const session = processStatus(Deno.pid)?.session ?? 0;
    commands.add(session, () => taken.push("session"));
    commands.add(NOBODY, () => taken.push("latest"));
    // The child has the session of this program.
    const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
    commands.take(1, child.pid);
    assertEquals(taken, ["session"]);
    commands.take(2, NOBODY - 1);
    await eventually(() => taken.length === 2, "the other");
    assertEquals(taken, ["session", "latest"]);
    child.kill("SIGKILL");
    await child.status;
  },
});

Deno.test({
  name: "what was another owner's command gets no connection any more",
  ignore,
  fn: async () => {
    const commands = new ProxiedCommands();
    const taken: string[] = [];
    commands.add(processStatus(Deno.pid)?.session ?? 0, () => taken.push("former"));
    commands.clear();
    const [ours, theirs] = openSocketPair();
    commands.take(theirs, Deno.pid);
    const isCut = () => writeDescriptor(ours, new Uint8Array(1)) < 0;
    await eventually(isCut, "the end of the connection");
    closeDescriptor(ours);
    assertEquals(taken, []);
  },
});
