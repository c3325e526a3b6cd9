import { assertEquals, assertObjectMatch } from "@std/assert";
import { contextMessage } from "../../sandbox/context.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { openWebSocket } from "../support/websocket_client.ts";

Deno.test({
  name:
    "without a network, unrestricted files do not include the executor's processes and the kernel",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using directory = new TemporaryDirectory();
    await using executor = await ListeningExecutor.start();
    await using client = await openWebSocket(executor.url);
    const sandbox = contextMessage({
      cwd: directory.path,
      permissions: {
        type: "managed",
        network: "restricted",
        file_system: { type: "unrestricted" },
      },
    });
    const ask = (method: string, path: string, more = {}) =>
      client.request(method, { path: `file://${path}`, sandbox, ...more });
    for (const owner of ["self", executor.pid]) {
      const path = `/proc/${owner}/environ`;
      assertObjectMatch(await ask("fs/readFile", path), { error: { code: -32004 } }, path);
      const opened = await ask("fs/open", path, { handleId: path });
      assertObjectMatch(opened, { error: { code: -32004 } }, path);
    }
    // What stands there already: nothing changes if it is written after all.
    const setting = "/proc/sys/kernel/hostname";
    const dataBase64 = btoa(Deno.readTextFileSync(setting));
    assertObjectMatch(await ask("fs/writeFile", setting, { dataBase64 }), {
      error: { code: -32603 },
    });
    const file = `${directory.path}/file`;
    assertObjectMatch(await ask("fs/writeFile", file, { dataBase64: btoa("text") }), {
      result: {},
    });
    assertEquals(Deno.readTextFileSync(file), "text");
  },
});
