import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { linuxChecks, linuxMechanism } from "../../src/doctor/linux.ts";
import type { LinuxAbilities } from "../../src/sandbox/linux/host.ts";
import {
  diagnoseBubblewrap,
  type NamespaceSettings,
  NOT_INSTALLED,
} from "../../src/sandbox/linux/bubblewrap_trial.ts";

const ABLE: LinuxAbilities = {
  architecture: "x86_64",
  bubblewrap: {
    kind: "usable",
    path: "/usr/bin/bwrap",
    freshProc: true,
    numbersProcesses: true,
    canSetArg0: true,
  },
  landlock: 7,
  supervision: { kind: "usable" },
  seccomp: true,
  namespaceEntry: { kind: "privileged" },
  tools: { env: "/usr/bin/env", perl: "/usr/bin/perl", setsid: "/usr/bin/setsid" },
  ownsDevices: false,
  kernelTrees: ["/proc", "/sys"],
};

const OPEN: NamespaceSettings = {
  appArmorRestricted: undefined,
  unprivilegedAllowed: undefined,
  maxUserNamespaces: 1000,
};

function unusable(settings: NamespaceSettings): LinuxAbilities["bubblewrap"] {
  return { kind: "unusable", ...diagnoseBubblewrap("bwrap: No permissions", settings) };
}

function check(
  name: string,
  abilities: Partial<LinuxAbilities>,
  settings: Partial<NamespaceSettings> = {},
) {
  const facts = { abilities: { ...ABLE, ...abilities }, settings: { ...OPEN, ...settings } };
  const checks = linuxChecks(facts);
  for (const { status, fix } of checks) assertEquals(fix === undefined, status === "ok");
  return checks.find((check) => check.name === name);
}

Deno.test("a machine that has everything has nothing to fix", () => {
  const checks = linuxChecks({ abilities: ABLE, settings: OPEN });
  assertEquals(checks.filter(({ status }) => status !== "ok"), []);
});

Deno.test("bubblewrap that is missing is to be installed; Landlock makes it less urgent", () => {
  const bubblewrap = { kind: "unusable", ...NOT_INSTALLED } as const;
  const spare = check("bubblewrap", { bubblewrap });
  assertEquals(spare?.status, "warning");
  assertStringIncludes(spare?.fix ?? "", "apt install bubblewrap");
  assertEquals(check("bubblewrap", { bubblewrap, landlock: 0 })?.status, "failed");
});

const SETTINGS: readonly [string, Partial<NamespaceSettings>, string][] = [
  ["user.max_user_namespaces", { maxUserNamespaces: 0 }, "sysctl -w user.max_user_namespaces="],
  [
    "kernel.unprivileged_userns_clone",
    { unprivilegedAllowed: false },
    "sysctl -w kernel.unprivileged_userns_clone=1",
  ],
  [
    "kernel.apparmor_restrict_unprivileged_userns",
    { appArmorRestricted: true },
    "profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }",
  ],
];

for (const [name, setting, fix] of SETTINGS) {
  Deno.test(`${name}: what helps where it forbids user namespaces`, () => {
    const bubblewrap = unusable({ ...OPEN, ...setting });
    const found = check(name, { bubblewrap, landlock: 0 }, setting);
    assertEquals(found?.status, "failed");
    assertStringIncludes(found?.fix ?? "", fix);
    assertEquals(check(name, { bubblewrap }, setting)?.status, "warning");
  });

  Deno.test(`${name}: nothing to fix where bubblewrap works all the same`, () => {
    assertEquals(check(name, {}, setting)?.status, "ok");
  });
}

Deno.test("where the settings allow user namespaces, the container is what forbids them", () => {
  const found = check("bubblewrap", { bubblewrap: unusable(OPEN) });
  assertStringIncludes(found?.fix ?? "", "--security-opt seccomp=unconfined");
  assertEquals(check("user.max_user_namespaces", {})?.status, "ok");
});

Deno.test("a container that forbids a fresh /proc", () => {
  const bubblewrap = { ...ABLE.bubblewrap, kind: "usable", freshProc: false } as const;
  const path = "/usr/bin/bwrap";
  const found = check("bubblewrap", {
    bubblewrap: { path, numbersProcesses: true, canSetArg0: true, ...bubblewrap },
  });
  assertEquals(found?.status, "warning");
  assertStringIncludes(found?.fix ?? "", "systempaths=unconfined");
});

Deno.test("Landlock is missed most where nothing else is there", () => {
  assertEquals(check("landlock", { landlock: 0 })?.status, "warning");
  const bubblewrap = { kind: "unusable", ...NOT_INSTALLED } as const;
  assertEquals(check("landlock", { landlock: 0, bubblewrap })?.status, "failed");
  assertEquals(check("landlock", { landlock: 1, bubblewrap })?.status, "failed");
  assertEquals(check("landlock", { landlock: 2, bubblewrap })?.status, "ok");
});

Deno.test("what keeps calls from being handed over is named, with what helps", () => {
  assertEquals(check("supervisor", {})?.status, "ok");
  const supervision = { kind: "unusable", reason: "why", fix: "how" } as const;
  const bubblewrap = { kind: "unusable", ...NOT_INSTALLED } as const;
  assertEquals(check("supervisor", { supervision })?.status, "warning");
  assertEquals(check("supervisor", { supervision, bubblewrap })?.status, "failed");
});

Deno.test("helpers that are missing are named with what they are for", () => {
  const bubblewrap = { ...ABLE.bubblewrap, canSetArg0: false };
  assertStringIncludes(check("helpers", { tools: {} })?.detail ?? "", "setsid(1)");
  assertEquals(check("helpers", { bubblewrap })?.status, "ok");
  const lone = check("helpers", { namespaceEntry: { kind: "none" } });
  assertEquals(lone?.detail, "missing: nsenter(1) on PATH, for managed networks");
  const { env, setsid } = { env: "/usr/bin/env", setsid: "/usr/bin/setsid" };
  const found = check("helpers", { bubblewrap, tools: { env, setsid } });
  assertStringIncludes(found?.detail ?? "", "arg0");
  assert(!found?.detail.includes("PWD"));
});

Deno.test("the mechanism is the best that works", () => {
  const bubblewrap = { kind: "unusable", ...NOT_INSTALLED } as const;
  assertEquals(linuxMechanism(ABLE), "bubblewrap");
  assertEquals(linuxMechanism({ ...ABLE, bubblewrap }), "landlock");
  assertEquals(linuxMechanism({ ...ABLE, bubblewrap, landlock: 2 }), "landlock");
  assertEquals(linuxMechanism({ ...ABLE, bubblewrap, landlock: 1 }), undefined);
  const supervision = { kind: "unusable", reason: "why", fix: "how" } as const;
  assertEquals(linuxMechanism({ ...ABLE, bubblewrap, landlock: 5, supervision }), undefined);
  assertEquals(linuxMechanism({ ...ABLE, seccomp: false }), undefined);
});
