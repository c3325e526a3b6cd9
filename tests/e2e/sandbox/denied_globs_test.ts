import { assertEquals } from "@std/assert";
import { contextMessage, glob, workspaceWrite } from "../../sandbox/context.ts";
import { testOnMachines } from "./support/machines.ts";

for (const mode of ["311", "000", "555"]) {
  testOnMachines(
    `what a glob denies stays denied when a command has set its directory to ${mode}`,
    async ({ run, workspace, user }) => {
      Deno.mkdirSync(`${workspace}/conf`);
      Deno.writeTextFileSync(`${workspace}/conf/prod.key`, "confidential\n");
      if (user.id !== undefined) {
        Deno.chownSync(`${workspace}/conf`, user.id, user.id);
        Deno.chownSync(`${workspace}/conf/prod.key`, user.id, user.id);
      }
      const sandbox = contextMessage({
        entries: [...workspaceWrite, glob("**/*.key")],
        cwd: workspace,
        workspaceRoots: [workspace],
      });
      const shell = (script: string) => run(["/bin/sh", "-c", script], { sandbox });
      await shell(`chmod ${mode} conf`);
      const { stdout } = await shell("chmod 755 conf; cat conf/prod.key; echo new > conf/prod.key");
      assertEquals(stdout, "");
      Deno.chmodSync(`${workspace}/conf`, 0o755);
      assertEquals(Deno.readTextFileSync(`${workspace}/conf/prod.key`), "confidential\n");
    },
  );
}
