import { assertEquals } from "@std/assert";
import { managedNetwork, sandboxContext } from "../../../src/protocol/sandbox.ts";
import { requiresSandbox } from "../../../src/sandbox/policy/policy.ts";

const bare = { sandbox: undefined, enforceManagedNetwork: false, managedNetwork: undefined };

Deno.test("only what asks for no limits at all runs without a sandbox", () => {
  const unlimited = { type: "managed", file_system: { type: "unrestricted" }, network: "enabled" };
  const cases: [permissions: unknown, required: boolean][] = [
    [{ type: "disabled" }, false],
    [{ type: "external", network: "enabled" }, false],
    [{ type: "external", network: "restricted" }, true],
    [unlimited, false],
    [{ ...unlimited, network: "restricted" }, true],
    [{ ...unlimited, file_system: { type: "restricted", entries: [] } }, true],
  ];
  assertEquals(requiresSandbox(bare), false);
  for (const [permissions, required] of cases) {
    const sandbox = sandboxContext.parse({ permissions });
    assertEquals(requiresSandbox({ ...bare, sandbox }), required, JSON.stringify(permissions));
  }
});

Deno.test("a managed network is enforced whatever else is asked", () => {
  const sandbox = sandboxContext.parse({ permissions: { type: "disabled" } });
  assertEquals(requiresSandbox({ ...bare, sandbox, enforceManagedNetwork: true }), true);
  assertEquals(
    requiresSandbox({ ...bare, sandbox, managedNetwork: managedNetwork.parse({}) }),
    true,
  );
});
