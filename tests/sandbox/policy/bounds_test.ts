import { assert, assertEquals, assertThrows } from "@std/assert";
import { ErrorCode, RpcError } from "../../../src/protocol/errors.ts";
import {
  enforceDirectory,
  enforceNoConnections,
  type SandboxBounds,
} from "../../../src/sandbox/policy/bounds.ts";
import { bindPolicy } from "../../../src/sandbox/policy/bind.ts";
import { type Policy, requiresSandbox } from "../../../src/sandbox/policy/policy.ts";
import { context, type ContextOptions, path, special, workspaceWrite } from "../context.ts";
import { fakeDisk } from "../fake_disk.ts";

const DISK = fakeDisk({
  "/srv/work/one": "directory",
  "/srv/work/out": { link: "/etc" },
  "/srv/workshop": "directory",
  "/link": { link: "/srv/work" },
  "/etc": "directory",
  "/tmp": "directory",
});

const ANYTHING: SandboxBounds = {
  restrictedBy: undefined,
  writableRoots: undefined,
  network: "any",
};
const RESTRICTED: SandboxBounds = { ...ANYTHING, restrictedBy: "requireSandbox" };
const BELOW_WORK: SandboxBounds = {
  ...ANYTHING,
  restrictedBy: "allowedWorkspaceRoots",
  writableRoots: ["/srv/work", "/tmp"],
};

function bind(
  bounds: SandboxBounds,
  options: ContextOptions | undefined,
  more: Partial<Policy> = {},
) {
  const facts = {
    convention: "posix",
    home: undefined,
    temporaryDirectory: undefined,
    certificateFiles: [],
  } as const;
  const intent: Policy = {
    sandbox: options && context(options),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
    bounds,
    ...more,
  };
  assert(requiresSandbox(intent));
  return bindPolicy(intent, facts, DISK);
}

function refused(
  bounds: SandboxBounds,
  options: ContextOptions | undefined,
  named: string,
  more?: Partial<Policy>,
): void {
  const error = assertThrows(() => bind(bounds, options, more), RpcError, named);
  assertEquals(error.code, ErrorCode.InvalidParams);
}

const external = { type: "external", network: "restricted" };
const managed = (network: string) => ({
  type: "managed",
  file_system: { type: "unrestricted" },
  network,
});

Deno.test("without files that are restricted nothing counts as a sandbox", () => {
  const everything = [special("root", "write")];
  for (
    const options of [
      undefined,
      { permissions: { type: "disabled" } },
      { permissions: external },
      { permissions: managed("restricted") },
      { entries: everything },
    ]
  ) {
    refused(RESTRICTED, options, "(requireSandbox): a sandbox that restricts files is required");
  }
  bind(RESTRICTED, { entries: [] });
  bind(RESTRICTED, { entries: [...everything, path("/etc", "read")] });
});

Deno.test("nothing outside of the allowed directories may be written", () => {
  const workspace = (root: string) => ({
    entries: workspaceWrite,
    cwd: root,
    workspaceRoots: [root],
  });
  bind(BELOW_WORK, workspace("/srv/work"));
  bind(BELOW_WORK, workspace("/srv/work/one"));
  bind(BELOW_WORK, workspace("/link/one"));
  for (const root of ["/srv", "/srv/workshop", "/srv/work/out", "/srv/work/../workshop"]) {
    refused(BELOW_WORK, workspace(root), "(allowedWorkspaceRoots): nothing outside of /srv/work,");
  }
  const write = (native: string) => ({
    entries: [path(native, "write")],
    workspaceRoots: ["/srv/work"],
  });
  bind(BELOW_WORK, write("/srv/work/one/new"));
  bind(BELOW_WORK, write("/tmp"));
  for (const native of ["/etc", "/link/../etc", "/srv/work2"]) {
    refused(BELOW_WORK, write(native), "may be written, and ");
  }
  const through = write("/srv/work/out/passwd");
  refused(BELOW_WORK, { ...through, workspaceRoots: [] }, "may be written, and ");
  // A link in a workspace leads nowhere, whatever is allowed.
  assertThrows(() => bind(BELOW_WORK, through), RpcError, "through the link '/srv/work/out'");
});

Deno.test("workspace roots lie within too, and reading is free", () => {
  const reading = [special("root", "read")];
  bind(BELOW_WORK, { entries: reading });
  bind(BELOW_WORK, { entries: reading, cwd: "/srv/work" });
  refused(BELOW_WORK, { entries: reading, workspaceRoots: ["/etc"] }, "may be a workspace root");
  refused(BELOW_WORK, { entries: reading, cwd: "/srv/work/out" }, "and /etc is asked for");
  const nowhere = { ...BELOW_WORK, writableRoots: [] };
  bind(nowhere, { entries: reading });
  refused(nowhere, { entries: workspaceWrite, cwd: "/srv/work" }, "nothing may be written, and");
});

Deno.test("a working directory lies within the allowed ones", () => {
  for (const cwd of ["/srv/work", "/link/one", "/srv/work/out/../srv/work/one", "/tmp/new"]) {
    enforceDirectory(BELOW_WORK, cwd, DISK);
  }
  for (const cwd of ["/", "/srv/work/out", "/srv/workshop"]) {
    assertThrows(
      () => enforceDirectory(BELOW_WORK, cwd, DISK),
      RpcError,
      "may be the working directory",
    );
  }
  enforceDirectory(RESTRICTED, "/", DISK);
});

Deno.test("no sandbox leaves more of a network than is allowed", () => {
  const none: SandboxBounds = { ...ANYTHING, network: "none" };
  const proxied: SandboxBounds = { ...ANYTHING, network: "managed" };
  const managedNetwork = {
    loopbackPorts: [8080],
    allowLocalBinding: false,
    domainPolicy: undefined,
  };
  for (const bounds of [none, proxied]) {
    bind(bounds, { permissions: external });
    bind(bounds, undefined, { enforceManagedNetwork: true });
    for (const options of [undefined, { permissions: managed("enabled") }]) {
      refused(bounds, options, "(allowedNetwork): a sandbox without a network");
    }
  }
  bind(proxied, undefined, { managedNetwork });
  refused(none, undefined, "a sandbox without a network is required", { managedNetwork });
});

Deno.test("requests of the executor's own need a network that may be used", () => {
  enforceNoConnections(undefined);
  enforceNoConnections(RESTRICTED);
  for (const network of ["none", "managed"] as const) {
    const bounds = { ...ANYTHING, network };
    assertThrows(() => enforceNoConnections(bounds), RpcError, "(allowedNetwork)");
  }
});
