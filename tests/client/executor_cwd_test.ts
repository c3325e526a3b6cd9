import { assertEquals } from "@std/assert";
import { ExecServerClient } from "../../src/client/mod.ts";
import { ScriptedExecutor } from "../support/scripted_executor.ts";

Deno.test("an executor that has told its directory when it consented is not asked for it", async () => {
  await using executor = new ScriptedExecutor(() => undefined, { "remex-cwd": "file:///a%20b" });
  await using client = await ExecServerClient.connect(executor.url, { pipelined: true });
  assertEquals((await client.executorCwd())?.toString(), "file:///a%20b");
  assertEquals(executor.methods(), []);
});

for (const headers of [{}, { "remex-cwd": "/not/a/uri" }, { "remex-cwd": "" }]) {
  const what = JSON.stringify(headers);
  Deno.test(`an executor that has not told its directory is asked for it: ${what}`, async () => {
    await using executor = new ScriptedExecutor(() => undefined, headers);
    await using client = await ExecServerClient.connect(executor.url, { pipelined: true });
    assertEquals((await client.executorCwd())?.toString(), "file:///");
    assertEquals(executor.methods(), ["environment/info"]);
  });
}
