import { assertEquals, assertObjectMatch } from "@std/assert";
import { testBoth } from "../support/both_transports.ts";
import { run, shell } from "../support/commands.ts";
import { exists } from "../support/files.ts";
import type { Message } from "../support/inbox.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function managed(fileSystem: Message, network: string): Message {
  const permissions = { type: "managed", file_system: fileSystem, network };
  return { sandbox: { permissions, windowsSandboxLevel: "disabled" } };
}

const ROOT = { type: "path", path: "file:///" };

/** Members that ask for what cannot be enforced yet. */
const INTENTS: readonly Message[] = [
  managed({ type: "restricted", entries: [{ path: ROOT, access: "read" }] }, "enabled"),
  managed({ type: "restricted", entries: [] }, "restricted"),
  managed({ type: "unrestricted" }, "restricted"),
  { enforceManagedNetwork: true },
  { managedNetwork: { loopbackPorts: [8080], allowLocalBinding: false } },
];

testBoth("a command that has to be enclosed never runs bare", async ({ open }, t) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const cwd = `file://${directory.path}`;
  for (const intent of INTENTS) {
    for (const tty of [false, true]) {
      await t.step(`${JSON.stringify(intent)} tty ${tty}`, async () => {
        const params = shell("p", "touch ran", { cwd, tty, ...intent });
        const answer = await client.request("process/start", params);
        assertObjectMatch(answer, { error: { code: -32603 } });
        assertObjectMatch(await client.request("process/read", { processId: "p" }), {
          error: { code: -32600 },
        });
      });
    }
  }
  await t.step("and the id is free", async () => {
    assertEquals((await run(client, shell("p", "exit 3"))).exitCode, 3);
    assertEquals(exists(`${directory.path}/ran`), false);
  });
});
