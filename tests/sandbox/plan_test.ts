import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BoundIntent, Grant } from "../../src/sandbox/policy/bound_policy.ts";
import type { LinuxAbilities } from "../../src/sandbox/linux/abilities.ts";
import { type HostAbilities, type LinuxMechanism, planSandbox } from "../../src/sandbox/plan.ts";

const LINUX: LinuxAbilities = {
  architecture: "x86_64",
  bubblewrap: { kind: "usable", path: "/usr/bin/bwrap", freshProc: true, canSetArg0: false },
  landlock: 7,
  supervision: { kind: "usable", copiesDescriptors: true },
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
  mechanism: LinuxMechanism = "auto",
) {
  const host = "os" in abilities ? abilities : { os: "linux", ...LINUX, ...abilities } as const;
  return planSandbox(intent(changes), host, { mechanism, landlockFirst });
}

function refusal(planned: ReturnType<typeof plan>): string {
  return planned.kind === "refused" ? `${planned.reason} | ${planned.fix}` : planned.kind;
}

Deno.test("nothing to enforce needs no means, whatever the machine", () => {
  const free = { files: { kind: "all" }, network: { kind: "host" } } as const;
  assertEquals(plan(free, { os: "other", name: "windows" }), { kind: "none" });
});

Deno.test("bubblewrap comes first, unless the client wants Landlock", () => {
  assertEquals(plan({}).kind, "bubblewrap");
  assertEquals(plan({ files: { kind: "all" } }).kind, "bubblewrap");
  assertEquals(plan({}, {}, true).kind, "landlock");
  assertEquals(plan({ files: PROTECTED }, {}, true).kind, "landlock");
});

Deno.test("whoever runs the executor decides which mechanism is used, and no other is", () => {
  assertEquals(plan({}, {}, false, "landlock").kind, "landlock");
  assertEquals(plan({}, {}, true, "bubblewrap").kind, "bubblewrap");
  const refused = plan({}, { bubblewrap: NO_BUBBLEWRAP }, true, "bubblewrap");
  assertEquals(refusal(refused), "no bubblewrap | install it");
  assertStringIncludes(refusal(plan({}, { landlock: 0 }, false, "landlock")), "no Landlock");
});

Deno.test("Landlock stands in where bubblewrap cannot be used", () => {
  assertEquals(plan({}, { bubblewrap: NO_BUBBLEWRAP }).kind, "landlock");
  assertEquals(plan({ files: PROTECTED }, { bubblewrap: NO_BUBBLEWRAP }).kind, "landlock");
});

Deno.test("nothing is enforced in part: the refusal names each obstacle and what helps", () => {
  const supervision = { kind: "unusable", reason: "no supervisor", fix: "allow it" } as const;
  const abilities = { bubblewrap: NO_BUBBLEWRAP, supervision };
  const refused = refusal(plan({ files: PROTECTED }, abilities));
  assertStringIncludes(refused, "no bubblewrap; no supervisor");
  assertStringIncludes(refused, "| install it");
  assertEquals(plan({}, abilities).kind, "landlock");
  assertEquals(plan({ files: PROTECTED }, { supervision }, true).kind, "bubblewrap");
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

Deno.test("ports of a managed network take a way into bubblewrap's network, or Landlock's supervisor", () => {
  const network = { kind: "loopback", ports: [80], localBinding: false } as const;
  assertEquals(plan({ network }).kind, "bubblewrap");
  assertEquals(plan({ network }, {}, true).kind, "landlock");
  const helped = { kind: "program", nsenter: "/usr/bin/nsenter" } as const;
  assertEquals(plan({ network }, { namespaceEntry: helped }).kind, "bubblewrap");
  const lone = refusal(
    plan({ network }, { namespaceEntry: { kind: "none" } }, false, "bubblewrap"),
  );
  assertStringIncludes(lone, "nsenter is not on PATH");
  assertStringIncludes(lone, "| install util-linux");
  assertEquals(plan({ network }, { bubblewrap: NO_BUBBLEWRAP }).kind, "landlock");
  const confined = { kind: "usable", copiesDescriptors: false } as const;
  const uncopied = refusal(plan({ network }, { supervision: confined }, false, "landlock"));
  assertStringIncludes(uncopied, "pidfd_getfd is refused");
  const binding = { ...network, localBinding: true };
  const refused = refusal(plan({ network: binding }, { bubblewrap: NO_BUBBLEWRAP }));
  assertStringIncludes(refused, "no bubblewrap; Landlock tells ports apart, but not the hosts");
});

Deno.test("Seatbelt on macOS, nothing on Windows", () => {
  assertEquals(plan({}, { os: "darwin", seatbelt: true }).kind, "seatbelt");
  assertEquals(plan({}, { os: "darwin", seatbelt: false }).kind, "refused");
  assertStringIncludes(refusal(plan({}, { os: "other", name: "windows" })), "windows");
});
