import { assertEquals, assertRejects } from "@std/assert";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Policy } from "../../src/sandbox/policy/policy.ts";
import { context, type ContextOptions, workspaceWrite } from "./context.ts";

const WINDOWS = new Sandbox({
  host: { os: "other", name: "Windows", mechanisms: [], resources: [] },
});
const COMMAND = { argv: ["cmd.exe"], cwd: "C:\\", env: {}, terminal: false };

function onWindows(options: ContextOptions, more: Partial<Policy> = {}) {
  const policy = {
    sandbox: context(options),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
    ...more,
  };
  return WINDOWS.prepare(policy, COMMAND, undefined);
}

const restricting: readonly [string, ContextOptions, Partial<Policy>][] = [
  ["files", { entries: workspaceWrite, network: "enabled", cwd: "/" }, {}],
  ["the network", { permissions: { type: "external", network: "restricted" } }, {}],
  [
    "a managed network",
    { permissions: { type: "disabled" } },
    { managedNetwork: { loopbackPorts: [8080], allowLocalBinding: false } },
  ],
  [
    "a managed network that nobody prepared",
    { permissions: { type: "disabled" } },
    { enforceManagedNetwork: true },
  ],
];

for (const [what, options, more] of restricting) {
  Deno.test(`Windows: a start that restricts ${what} is refused`, async () => {
    const error = await assertRejects(
      () => onWindows(options, more),
      RpcError,
      "cannot be sandboxed on Windows; nothing was started",
    );
    assertEquals(error.code, ErrorCode.Internal);
  });
}

Deno.test("Windows: a start that restricts nothing is not", async () => {
  assertEquals(await onWindows({ permissions: { type: "disabled" } }), undefined);
});
