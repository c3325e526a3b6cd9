import { assertEquals, assertRejects } from "@std/assert";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { isSandboxDenial, Sandbox } from "../../src/sandbox/sandbox.ts";
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

for (
  const [what, sandboxType, exitCode, output, expected] of [
    ["bare commands are never denied", "none", 1, "Permission denied", false],
    ["success is never denied", "linuxSeccomp", 0, "permission denied", false],
    ["words tell, in any case", "linuxSeccomp", 1, "x: Read-Only File System", true],
    ["words tell on macOS", "macosSeatbelt", 1, "Operation not permitted", true],
    ["words outweigh an ordinary code", "linuxSeccomp", 126, "sh: Permission denied", true],
    ["'seccomp' tells", "linuxSeccomp", 3, "SECCOMP", true],
    ["'sandbox' tells", "linuxSeccomp", 3, "sandboxed", true],
    ["'landlock' tells", "linuxSeccomp", 3, "Landlock", true],
    ["'failed to write file' tells", "linuxSeccomp", 3, "Failed to write file x", true],
    ["wrong usage is ordinary", "linuxSeccomp", 2, "usage", false],
    ["not executable is ordinary", "linuxSeccomp", 126, "", false],
    ["not found is ordinary", "linuxSeccomp", 127, "not found", false],
    ["other failures are ordinary", "linuxSeccomp", 1, "assertion failed", false],
    ["a filter's kill is a denial", "linuxSeccomp", 159, "", true],
    ["on macOS there is no such kill", "macosSeatbelt", 159, "", false],
  ] as const
) {
  Deno.test(what, () => assertEquals(isSandboxDenial({ sandboxType, exitCode, output }), expected));
}
