import { assertEquals, assertRejects } from "@std/assert";
import { constants } from "node:os";
import { type ProgramLaunch, SpawnError } from "../../../src/os/spawn.ts";
import { type ChildStdio, StartError } from "../../../src/process/child.ts";
import { startLinuxChildElsewhere } from "../../../src/process/linux/start.ts";

const SIZE = { rows: 24, cols: 80 };
const WAYS: Readonly<Record<string, ChildStdio>> = {
  "with input": { kind: "pipes", stdin: "pipe" },
  "without input": { kind: "pipes", stdin: "empty" },
  "on a terminal": { kind: "pty", size: SIZE, controlling: false },
};

for (const [way, stdio] of Object.entries(WAYS)) {
  Deno.test({
    name: `a program that another thread starts ${way} has nothing to open before it runs`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      let launched: ProgramLaunch | undefined;
      const starter = {
        spawn: (launch: ProgramLaunch) => {
          launched = launch;
          return Promise.reject(new SpawnError(constants.errno.ENOENT));
        },
        exited: () => {},
      };
      const command = { argv: ["/bin/true"], cwd: "/", env: {}, stdio, sealed: true };
      const observer = { output: () => {}, exited: () => {}, ended: () => {} };
      const starting = () => startLinuxChildElsewhere(starter, command, observer);
      await assertRejects(starting, StartError);
      const sources = launched?.descriptors.map(({ source }) => source.kind);
      assertEquals(sources, ["copy", "copy", "copy"]);
    },
  });
}
