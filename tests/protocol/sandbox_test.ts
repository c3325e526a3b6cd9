import { assertEquals } from "@std/assert";
import { managedNetwork, sandboxContext } from "../../src/protocol/sandbox.ts";

/** What the client of codex 0.169.0 sends with a command for its workspace. */
const RECORDED = {
  permissions: {
    type: "managed",
    file_system: {
      type: "restricted",
      entries: [
        { path: { type: "special", value: { kind: "root" } }, access: "read" },
        { path: { type: "special", value: { kind: "project_roots" } }, access: "write" },
        { path: { type: "special", value: { kind: "slash_tmp" } }, access: "write" },
        { path: { type: "special", value: { kind: "tmpdir" } }, access: "write" },
        {
          path: { type: "special", value: { kind: "project_roots", subpath: ".git" } },
          access: "read",
          missing_path_behavior: "skip",
        },
      ],
    },
    network: "restricted",
  },
  cwd: "file:///home/user/project",
  policyContext: {
    cwd: "file:///home/user/project",
    workspaceRoots: ["file:///home/user/project"],
  },
  workspaceRoots: ["file:///home/user/project"],
  userHomeDir: "file:///home/user",
  windowsSandboxLevel: "disabled",
  windowsSandboxProxySettingsMode: "reconcile",
  useLegacyLandlock: false,
};

/** What becomes of one entry. */
function parsedEntry(entry: unknown): unknown {
  const parsed = sandboxContext.safeParse({
    permissions: {
      type: "managed",
      network: "enabled",
      file_system: { type: "restricted", entries: [entry] },
    },
  });
  if (!parsed.success) return "refused";
  const { permissions } = parsed.data;
  if (permissions.type !== "managed" || permissions.file_system.type !== "restricted") return;
  const [only] = permissions.file_system.entries;
  const path = only?.path.type === "path" ? String(only.path.path) : only?.path;
  return { path, access: only?.access };
}

const special = (value: unknown, access = "read") => ({ path: { type: "special", value }, access });

Deno.test("a recorded intent is understood", () => {
  const { permissions, cwd, workspaceRoots, useLegacyLandlock } = sandboxContext.parse(RECORDED);
  // Nothing in it has an older name, and its one special place with a subpath keeps that.
  assertEquals<unknown>(permissions, RECORDED.permissions);
  assertEquals(String(cwd), "file:///home/user/project");
  assertEquals(workspaceRoots?.map(String), ["file:///home/user/project"]);
  assertEquals(useLegacyLandlock, false);
});

Deno.test("older names become the newer ones, and unknown places grant nothing", () => {
  const cases: [entry: unknown, parsed: unknown][] = [
    [{ path: { type: "path", path: "file:///a" }, access: "none" }, {
      path: "file:///a",
      access: "deny",
    }],
    [special({ kind: "current_working_directory", subpath: "a" }, "write"), {
      path: { type: "special", value: { kind: "project_roots", subpath: "a" } },
      access: "write",
    }],
    [special({ kind: "minimal", subpath: null }), {
      path: { type: "special", value: { kind: "minimal", subpath: undefined } },
      access: "read",
    }],
    [special({ kind: "from_the_future", subpath: 5, more: [] }, "write"), {
      path: { type: "special", value: { kind: "unknown", subpath: undefined } },
      access: "write",
    }],
    [{ path: { type: "glob_pattern", pattern: "**/*.env" }, access: "none" }, {
      path: { type: "glob_pattern", pattern: "**/*.env" },
      access: "deny",
    }],
  ];
  for (const [entry, parsed] of cases) assertEquals(parsedEntry(entry), parsed);
});

Deno.test("an entry with something wrong about it is refused, not left out", () => {
  const entries = [
    null,
    {},
    { path: { type: "path", path: "/a" }, access: "read" },
    { path: { type: "path" }, access: "read" },
    { path: { type: "path", path: "file:///a" }, access: "all" },
    { path: { type: "path", path: "file:///a" } },
    { path: { type: "regex", path: "file:///a" }, access: "read" },
    { path: { type: "glob_pattern", pattern: "*" }, access: "read" },
    special({ kind: "from_the_future" }, "deny"),
    special({ kind: "unknown" }, "none"),
    { path: { type: "glob_pattern", pattern: "*" }, access: "write" },
    { path: { type: "glob_pattern" }, access: "deny" },
    { path: "file:///a", access: "read" },
    special("root"),
    special({}),
    special({ kind: 5 }),
    special({ kind: "root", subpath: 5 }, "deny"),
    special({ kind: "project_roots", subpath: ["a"] }, "none"),
    special({ kind: "current_working_directory", subpath: {} }, "deny"),
  ];
  for (const entry of entries) assertEquals(parsedEntry(entry), "refused", JSON.stringify(entry));
});

Deno.test("permissions of an unknown or incomplete form are refused", () => {
  const managed = RECORDED.permissions;
  const cases = [
    undefined,
    null,
    "disabled",
    {},
    { type: "none" },
    { type: "external" },
    { type: "external", network: "some" },
    { ...managed, network: undefined },
    { ...managed, network: "disabled" },
    { ...managed, file_system: undefined },
    { ...managed, file_system: { type: "all" } },
    { ...managed, file_system: { type: "restricted" } },
    { ...managed, file_system: { type: "restricted", entries: {} } },
    { ...managed, file_system: { type: "restricted", entries: [], glob_scan_max_depth: -1 } },
  ];
  for (const permissions of cases) {
    const { success } = sandboxContext.safeParse({ ...RECORDED, permissions });
    assertEquals(success, false, JSON.stringify(permissions));
  }
});

Deno.test("paths of an intent are checked like any other", () => {
  for (
    const wrong of [{ cwd: "/home" }, { workspaceRoots: "file:///a" }, {
      workspaceRoots: ["file:///a", "b"],
    }]
  ) {
    assertEquals(sandboxContext.safeParse({ ...RECORDED, ...wrong }).success, false);
  }
  const { cwd, workspaceRoots } = sandboxContext.parse({
    ...RECORDED,
    cwd: null,
    workspaceRoots: null,
  });
  assertEquals([cwd, workspaceRoots], [undefined, undefined]);
});

Deno.test("a managed network lists ports, or none", () => {
  const parsed = [{}, { loopbackPorts: null, allowLocalBinding: null, domainPolicy: null }, {
    loopbackPorts: [43123, 65535],
    allowLocalBinding: true,
    domainPolicy: { deny: ["a"] },
  }].map((value) => managedNetwork.parse(value));
  assertEquals(parsed.map(({ loopbackPorts }) => loopbackPorts), [[], [], [43123, 65535]]);
  assertEquals(parsed.map(({ allowLocalBinding }) => allowLocalBinding), [false, false, true]);
  for (const port of [0, -1, 65536, 1.5, "80", null]) {
    assertEquals(managedNetwork.safeParse({ loopbackPorts: [port] }).success, false);
  }
});
