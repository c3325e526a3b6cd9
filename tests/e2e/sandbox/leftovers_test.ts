import { assertEquals } from "@std/assert";
import { shell, start } from "../support/commands.ts";
import { isRecord } from "../support/inbox.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { testSandboxed } from "./support/sandboxed.ts";

const COMMANDS = 100;

testSandboxed(
  "a hundred commands at once leave nothing",
  async ({ client, workspace, enclosed }) => {
    await using marked = new MarkedProcesses();
    const mounts = () => Deno.readTextFileSync("/proc/self/mounts");
    const before = mounts();
    const runs = Array.from({ length: COMMANDS }, async (_, index) => {
      const tty = index % 4 === 0;
      const script = `sleep ${marked.duration} & echo ${index} > f${index}; exit ${index % 3}`;
      await start(client, shell(`${index}`, script, { ...enclosed, tty }));
      const exited = (await client.events(`${index}`)).at(-2);
      return isRecord(exited?.params) ? exited.params.exitCode : undefined;
    });
    const codes = await Promise.all(runs);
    assertEquals(codes, Array.from({ length: COMMANDS }, (_, index) => index % 3));
    const names = Array.from(Deno.readDirSync(workspace), ({ name }) => name).sort();
    assertEquals(names, Array.from({ length: COMMANDS }, (_, index) => `f${index}`).sort());
    await marked.reach(0);
    assertEquals(mounts(), before);
  },
);
