import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BoundIntent, Grant } from "../../src/sandbox/policy/bound_policy.ts";
import type { LinuxAbilities } from "../../src/sandbox/linux/abilities.ts";
import { type HostAbilities, planSandbox } from "../../src/sandbox/plan.ts";

const LINUX: LinuxAbilities = {
  architecture: "x86_64",
  bubblewrap: { kind: "usable", path: "/usr/bin/bwrap", freshProc: true, canSetArg0: false },
  landlock: 7,
  seccomp: true,
  namespaceEntry: { kind: "privileged" },
  tools: {},
  kernelTrees: ["/proc", "/sys"],
};
const NO_BUBBLEWRAP = { kind: "unusable", reason: "no bubblewrap", fix: "install it" } as const;

function intent(changes: Partial<BoundIntent>): BoundIntent {
  return { files: files(["read", "/"]), network: { kind: "none" }, workspaceRoots: [], ...changes };
}

function files(...grants: [Grant["access"], string][]): BoundIntent["files"] {
  return {
    kind: "granted",
    grants: grants.map(([access, path]) => ({ access, path, kind: "directory", links: [] })),
    deniedGlobs: [],
    globMaxDepth: undefined,
  };
}

const PROTECTED = files(["read", "/"], ["write", "/ws"], ["read", "/ws/.git"]);

function plan(
  changes: Partial<BoundIntent>,
  abilities: Partial<LinuxAbilities> | HostAbilities = {},
  landlockFirst = false,
) {
  const host = "os" in abilities ? abilities : { os: "linux", ...LINUX, ...abilities } as const;
  return planSandbox(intent(changes), host, { landlockFirst });
}

function refusal(planned: ReturnType<typeof plan>): string {
  return planned.kind === "refused" ? `${planned.reason} | ${planned.fix}` : planned.kind;
}

Deno.test("nothing to enforce needs no means, whatever the machine", () => {
  const free = { files: { kind: "all" }, network: { kind: "host" } } as const;
  assertEquals(plan(free, { os: "other", name: "windows" }), { kind: "none" });
});

Deno.test("bubblewrap comes first, unless the client wants Landlock and it is enough", () => {
  assertEquals(plan({}).kind, "bubblewrap");
  assertEquals(plan({}, {}, true).kind, "landlock");
  assertEquals(plan({ files: PROTECTED }, {}, true).kind, "bubblewrap");
  assertEquals(plan({ files: { kind: "all" } }).kind, "bubblewrap");
});

Deno.test("Landlock stands in where bubblewrap cannot be used and it is enough", () => {
  assertEquals(plan({}, { bubblewrap: NO_BUBBLEWRAP }).kind, "landlock");
});

Deno.test("Landlock, which has to keep all metadata as it is, does not go before what need not", () => {
  const some = files(["read", "/"], ["write", "/ws"]);
  assertEquals(plan({ files: some }, {}, true).kind, "bubblewrap");
  const forced = plan({ files: some }, { bubblewrap: NO_BUBBLEWRAP });
  assertEquals(forced.kind === "landlock" && forced.fixedMetadata, true);
  const free = plan({ files: files(["write", "/"]) }, {}, true);
  assertEquals(free.kind === "landlock" && free.fixedMetadata, false);
});

Deno.test("nothing is enforced in part: the refusal names each obstacle and what helps", () => {
  const refused = refusal(plan({ files: PROTECTED }, { bubblewrap: NO_BUBBLEWRAP }));
  assertStringIncludes(refused, "no bubblewrap; Landlock cannot keep '/ws/.git' read-only");
  assertStringIncludes(refused, "| install it");
});

for (
  const [what, abilities, reason] of [
    ["no Landlock", { landlock: 0 }, "no Landlock"],
    ["an old Landlock", { landlock: 5 }, "cannot keep signals in"],
    ["no filter of system calls", { seccomp: false }, "seccomp"],
    ["an unknown architecture", { architecture: undefined }, "seccomp"],
  ] as const
) {
  Deno.test(`without bubblewrap and with ${what} nothing runs`, () => {
    const refused = refusal(plan({}, { bubblewrap: NO_BUBBLEWRAP, ...abilities }));
    assertStringIncludes(refused, reason);
  });
}

Deno.test("ports of a managed network take bubblewrap, and a way into its network", () => {
  const network = { kind: "loopback", ports: [80], localBinding: false } as const;
  assertEquals(plan({ network }).kind, "bubblewrap");
  assertEquals(plan({ network }, {}, true).kind, "bubblewrap");
  const helped = { kind: "program", nsenter: "/usr/bin/nsenter" } as const;
  assertEquals(plan({ network }, { namespaceEntry: helped }).kind, "bubblewrap");
  const lone = refusal(plan({ network }, { namespaceEntry: { kind: "none" } }));
  assertStringIncludes(lone, "nsenter is not on PATH");
  assertStringIncludes(lone, "| install util-linux");
  const refused = refusal(plan({ network }, { bubblewrap: NO_BUBBLEWRAP }));
  assertStringIncludes(refused, "no bubblewrap; Landlock tells ports apart, but not the hosts");
});

Deno.test("Seatbelt on macOS, nothing on Windows", () => {
  assertEquals(plan({}, { os: "darwin", seatbelt: true }).kind, "seatbelt");
  assertEquals(plan({}, { os: "darwin", seatbelt: false }).kind, "refused");
  assertStringIncludes(refusal(plan({}, { os: "other", name: "windows" })), "windows");
});
