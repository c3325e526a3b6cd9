import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BoundPolicy, Grant } from "../../src/sandbox/policy/bound_policy.ts";
import type { HostMechanisms } from "../../src/sandbox/host.ts";
import { Bubblewrap } from "../../src/sandbox/bubblewrap/mechanism.ts";
import { Landlock } from "../../src/sandbox/landlock/mechanism.ts";
import type { LinuxAbilities } from "../../src/sandbox/linux/host.ts";
import type { LinuxMechanism } from "../../src/sandbox/mechanism.ts";
import { GroupPool } from "../../src/sandbox/restricted_threads/group_pool.ts";
import { Sandbox, type SandboxPlan } from "../../src/sandbox/sandbox.ts";
import { Seatbelt } from "../../src/sandbox/seatbelt/mechanism.ts";
import { SeccompFilters } from "../../src/sandbox/seccomp/filter.ts";

const LINUX: LinuxAbilities = {
  architecture: "x86_64",
  bubblewrap: {
    kind: "usable",
    path: "/usr/bin/bwrap",
    freshProc: true,
    numbersProcesses: true,
    canSetArg0: false,
  },
  landlock: 7,
  supervision: { kind: "usable" },
  seccomp: true,
  namespaceEntry: { kind: "privileged" },
  tools: {},
  ownsDevices: false,
  kernelTrees: ["/proc", "/sys"],
};
const WINDOWS: HostMechanisms = { os: "other", name: "Windows", mechanisms: [], resources: [] };
const NO_BUBBLEWRAP = { kind: "unusable", reason: "no bubblewrap", fix: "install it" } as const;

function policy(changes: Partial<BoundPolicy>): BoundPolicy {
  return { files: files(["read", "/"]), network: { kind: "none" }, workspaceRoots: [], ...changes };
}

function files(...grants: [Grant["access"], string][]): BoundPolicy["files"] {
  return {
    kind: "granted",
    grants: grants.map(([access, path]) => ({ access, path, kind: "directory", links: [] })),
    deniedGlobs: [],
    globMaxDepth: undefined,
  };
}

const PROTECTED = files(["read", "/"], ["write", "/ws"], ["read", "/ws/.git"]);

function linux(abilities: LinuxAbilities): HostMechanisms {
  const host = { probe: () => Promise.resolve(abilities) };
  const filters = new SeccompFilters();
  const groups = new GroupPool();
  const mechanisms = [
    new Bubblewrap(host, filters),
    new Landlock(host, filters, groups),
  ];
  return { os: "linux", name: "Linux", host, mechanisms, resources: [] };
}

function planOn(host: HostMechanisms, changes: Partial<BoundPolicy> = {}): Promise<SandboxPlan> {
  return new Sandbox({ host }).plan(policy(changes), false);
}

/** What a sandbox plans on a Linux machine. */
function plan(
  changes: Partial<BoundPolicy>,
  abilities: Partial<LinuxAbilities> = {},
  landlockFirst = false,
  mechanism: LinuxMechanism = "auto",
) {
  const sandbox = new Sandbox({ mechanism, host: linux({ ...LINUX, ...abilities }) });
  return sandbox.plan(policy(changes), landlockFirst);
}

async function refusal(planning: Promise<SandboxPlan>): Promise<string> {
  const planned = await planning;
  return planned.kind === "refused" ? `${planned.reason} | ${planned.fix}` : planned.kind;
}

Deno.test("nothing to enforce needs no means, whatever the machine", async () => {
  const free = { files: { kind: "all" }, network: { kind: "host" } } as const;
  assertEquals(await planOn(WINDOWS, free), { kind: "none" });
});

Deno.test("bubblewrap comes first, unless the client wants Landlock", async () => {
  assertEquals((await plan({})).kind, "bubblewrap");
  assertEquals((await plan({ files: { kind: "all" } })).kind, "bubblewrap");
  assertEquals((await plan({}, {}, true)).kind, "landlock");
  assertEquals((await plan({ files: PROTECTED }, {}, true)).kind, "landlock");
});

Deno.test("whoever runs the executor decides which mechanism is used, and no other is", async () => {
  assertEquals((await plan({}, {}, false, "landlock")).kind, "landlock");
  assertEquals((await plan({}, {}, true, "bubblewrap")).kind, "bubblewrap");
  const refused = plan({}, { bubblewrap: NO_BUBBLEWRAP }, true, "bubblewrap");
  assertEquals(await refusal(refused), "no bubblewrap | install it");
  assertStringIncludes(await refusal(plan({}, { landlock: 0 }, false, "landlock")), "no Landlock");
});

Deno.test("Landlock stands in where bubblewrap cannot be used", async () => {
  assertEquals((await plan({}, { bubblewrap: NO_BUBBLEWRAP })).kind, "landlock");
  assertEquals((await plan({ files: PROTECTED }, { bubblewrap: NO_BUBBLEWRAP })).kind, "landlock");
});

Deno.test("nothing is enforced in part: the refusal names each obstacle and what helps", async () => {
  const supervision = { kind: "unusable", reason: "no supervisor", fix: "allow it" } as const;
  const abilities = { bubblewrap: NO_BUBBLEWRAP, supervision };
  const refused = await refusal(plan({ files: PROTECTED }, abilities));
  assertStringIncludes(refused, "no bubblewrap; no supervisor");
  assertStringIncludes(refused, "| install it");
  assertEquals((await plan({}, abilities)).kind, "landlock");
  assertEquals((await plan({ files: PROTECTED }, { supervision }, true)).kind, "bubblewrap");
});

for (
  const [what, abilities, reason] of [
    ["no Landlock", { landlock: 0 }, "no Landlock"],
    ["an old Landlock", { landlock: 1 }, "moved between directories"],
    ["no filter of system calls", { seccomp: false }, "seccomp"],
  ] as const
) {
  Deno.test(`without bubblewrap and with ${what} nothing runs`, async () => {
    const refused = await refusal(plan({}, { bubblewrap: NO_BUBBLEWRAP, ...abilities }));
    assertStringIncludes(refused, reason);
  });
}

Deno.test("ports of a managed network take a way into bubblewrap's network, or Landlock's supervisor", async () => {
  const network = { kind: "loopback", ports: [80], localBinding: false } as const;
  assertEquals((await plan({ network })).kind, "bubblewrap");
  assertEquals((await plan({ network }, {}, true)).kind, "landlock");
  const helped = { kind: "program", nsenter: "/usr/bin/nsenter" } as const;
  assertEquals((await plan({ network }, { namespaceEntry: helped })).kind, "bubblewrap");
  const lone = await refusal(
    plan({ network }, { namespaceEntry: { kind: "none" } }, false, "bubblewrap"),
  );
  assertStringIncludes(lone, "nsenter is not on PATH");
  assertStringIncludes(lone, "| install util-linux");
  assertEquals((await plan({ network }, { bubblewrap: NO_BUBBLEWRAP })).kind, "landlock");
  const egress = { ...network, ports: [], egress: true };
  assertEquals((await plan({ network: egress })).kind, "bubblewrap");
  assertEquals((await plan({ network: egress }, { bubblewrap: NO_BUBBLEWRAP })).kind, "landlock");
  const binding = { ...network, localBinding: true };
  const refused = await refusal(plan({ network: binding }, { bubblewrap: NO_BUBBLEWRAP }));
  assertStringIncludes(refused, "no bubblewrap; Landlock tells ports apart, but not the hosts");
});

Deno.test("Seatbelt on macOS, nothing on Windows", async () => {
  const seatbelt = new Seatbelt();
  assertEquals(seatbelt.plan(policy({}), true).kind, "seatbelt");
  assertEquals(seatbelt.plan(policy({}), false).kind, "refused");
  assertStringIncludes(await refusal(planOn(WINDOWS)), "Windows");
});
