import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import type { BoundFiles } from "../../../src/sandbox/policy/bound_policy.ts";
import { bindPolicy } from "../../../src/sandbox/policy/bind.ts";
import {
  context,
  type ContextOptions,
  glob,
  path,
  special,
  type WireEntry,
  workspaceWrite,
} from "../context.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";

interface Host {
  readonly disk?: Readonly<Record<string, FakeEntry>>;
  readonly home?: string;
  readonly temporaryDirectory?: string;
  readonly certificateFiles?: readonly string[];
}

const WORKSPACE = { cwd: "/ws", workspaceRoots: ["/ws"] };

function bind(options: ContextOptions, host: Host = {}) {
  const disk = fakeDisk({ "/ws": "directory", "/tmp": "directory", ...host.disk });
  const facts = {
    convention: "posix",
    home: host.home,
    temporaryDirectory: host.temporaryDirectory,
    certificateFiles: host.certificateFiles ?? [],
  } as const;
  const intent = {
    sandbox: context(options),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
  };
  return bindPolicy(intent, facts, disk);
}

/** Every grant as `access path`. */
function grants(options: ContextOptions, host?: Host): string[] {
  return summary(bind(options, host).files);
}

function summary(files: BoundFiles): string[] {
  return files.kind === "all"
    ? ["all"]
    : files.grants.map(({ access, path }) => `${access} ${path}`);
}

function ofWorkspace(entries: readonly WireEntry[], host?: Host): string[] {
  return grants({ ...WORKSPACE, entries }, host);
}

Deno.test("workspace-write keeps the protected names read-only, there or not", () => {
  assertEquals(ofWorkspace(workspaceWrite), [
    "read /",
    "write /ws",
    "read /ws/.agents",
    "read /ws/.codex",
    "read /ws/.git",
    "read /ws/HEAD",
  ]);
});

Deno.test("every writable root has protected names", () => {
  const host = { temporaryDirectory: "/var/tmp/x", disk: { "/var/tmp/x": "directory" } } as const;
  assertEquals(
    grants({
      cwd: "/ws",
      workspaceRoots: ["/ws", "/tmp"],
      entries: [special("project_roots", "write"), special("tmpdir", "write")],
    }, host),
    [
      "write /tmp",
      "write /ws",
      ...["read /tmp/.agents", "read /tmp/.codex", "read /tmp/.git", "read /tmp/HEAD"],
      ...["read /ws/.agents", "read /ws/.codex", "read /ws/.git", "read /ws/HEAD"],
      "write /var/tmp/x",
      ...[".agents", ".codex", ".git", "HEAD"].map((name) => `read /var/tmp/x/${name}`),
    ],
  );
});

Deno.test("an entry for a protected name itself decides about it", () => {
  for (const access of ["write", "read", "deny"]) {
    assertEquals(ofWorkspace([...workspaceWrite, special("project_roots", access, ".git")]), [
      "read /",
      "write /ws",
      "read /ws/.agents",
      "read /ws/.codex",
      `${access} /ws/.git`,
      // Who may write a repository needs no other.
      ...access === "write" ? [] : ["read /ws/HEAD"],
    ]);
  }
});

Deno.test("a workspace that happens to have such a name is protected like any other", () => {
  assertEquals(
    grants({ cwd: "/home/u/.codex", entries: [special("project_roots", "write")] }, {
      disk: { "/home/u/.codex": "directory" },
    }).slice(1),
    [".agents", ".codex", ".git", "HEAD"].map((name) => `read /home/u/.codex/${name}`),
  );
  const disk = { "/ws/.git": "directory" } as const;
  assertEquals(
    ofWorkspace([special("project_roots", "write"), path("/ws/.git", "write")], { disk }),
    ["write /ws", "read /ws/.agents", "read /ws/.codex", "write /ws/.git"],
  );
});

Deno.test("an entry below a protected name does not open the name", () => {
  assertEquals(
    ofWorkspace([special("project_roots", "write"), path("/ws/.git/refs", "write")], {
      disk: { "/ws/.git/refs": { text: "" } },
    }),
    [
      "write /ws",
      "read /ws/.agents",
      "read /ws/.codex",
      "read /ws/.git",
      "read /ws/HEAD",
      "write /ws/.git/refs",
    ],
  );
});

Deno.test("a .git file protects the directory that it points to, and the one that shares", () => {
  const disk = {
    "/ws/.git": { text: "gitdir: /tmp/main/.git/worktrees/x\n" },
    "/tmp/main/.git/worktrees/x/commondir": { text: "../..\n" },
  };
  assertEquals(
    ofWorkspace([...workspaceWrite, special("slash_tmp", "write")], { disk })
      .filter((grant) => grant.includes("/main")),
    ["read /tmp/main/.git", "read /tmp/main/.git/worktrees/x"],
  );
});

Deno.test("a .git file may point to a relative path", () => {
  const disk = { "/ws/.git": { text: "gitdir: ./meta\n" }, "/ws/meta": "directory" } as const;
  assertEquals(
    ofWorkspace([special("project_roots", "write")], { disk }).includes("read /ws/meta"),
    true,
  );
});

Deno.test("what a .git file points to does not become readable by that", () => {
  const disk = {
    "/ws/.git": { text: "gitdir: /home/user/.ssh\n" },
    "/home/user/.ssh": "directory",
  } as const;
  assertEquals(
    ofWorkspace([special("project_roots", "write")], { disk })
      .filter((grant) => grant.includes("/home")),
    [],
  );
});

Deno.test("a .git that is neither file nor directory is not read", () => {
  assertEquals(
    ofWorkspace([special("project_roots", "write")], { disk: { "/ws/.git": "other" } }),
    ["write /ws", "read /ws/.agents", "read /ws/.codex", "read /ws/.git", "read /ws/HEAD"],
  );
});

for (
  const [given, expected] of [
    [["read", "write"], "write"],
    [["write", "read"], "write"],
    [["write", "deny", "read"], "deny"],
    [["none", "read"], "deny"],
  ] as const
) {
  Deno.test(`of ${given.join(", ")} for the same path ${expected} holds`, () => {
    assertEquals(
      ofWorkspace(given.map((access) => path("/ws/x", access)), {
        disk: { "/ws/x": { text: "" } },
      }),
      [`${expected} /ws/x`],
    );
  });
}

Deno.test("grants come in order of depth", () => {
  const disk = { "/a/b/c/d": "directory", "/a-b": "directory" } as const;
  assertEquals(
    ofWorkspace([
      path("/a/b/c/d", "read"),
      path("/a/b/c", "deny"),
      path("/a-b", "read"),
      path("/a", "read"),
    ], { disk }),
    ["read /a", "read /a-b", "deny /a/b/c", "read /a/b/c/d"],
  );
});

Deno.test("without roots the cwd is the workspace", () => {
  assertEquals(
    grants({ cwd: "/ws", entries: [special("current_working_directory", "read")] }),
    ["read /ws"],
  );
});

Deno.test("an empty list of roots is no workspace", () => {
  const options = { cwd: "/ws", workspaceRoots: [], entries: workspaceWrite };
  assertEquals(grants(options), ["read /"]);
});

Deno.test("a subpath is bound below each root", () => {
  assertEquals(
    grants({
      workspaceRoots: ["/ws", "/tmp"],
      entries: [special("project_roots", "read", "a/./b")],
    }),
    ["read /tmp/a/b", "read /ws/a/b"],
  );
});

Deno.test("a root that is missing grants nothing, and what else is granted still is", () => {
  const options = { workspaceRoots: ["/nowhere", "/ws"], entries: workspaceWrite };
  assertEquals(grants(options).slice(0, 3), ["read /", "write /ws", "read /ws/.agents"]);
  assertEquals(grants(options).filter((grant) => grant.includes("nowhere")), []);
  assertEquals(bind(options).workspaceRoots, ["/ws"]);
  const reading = { cwd: "/nowhere", entries: [special("root", "read")] };
  assertEquals(grants(reading), ["read /"]);
});

Deno.test("an unknown special path grants nothing", () => {
  assertEquals(ofWorkspace([special("from_the_future", "write", "x")]), []);
});

Deno.test("a temporary directory that is no absolute path grants nothing", () => {
  assertEquals(ofWorkspace([special("tmpdir", "write")]), []);
  assertEquals(ofWorkspace([special("tmpdir", "write")], { temporaryDirectory: "ws" }), []);
});

Deno.test("minimal gives the system's own files, and takes nothing from a wider grant", () => {
  const disk = { "/bin": { link: "usr/bin" }, "/usr/bin/sh": { text: "" } } as const;
  const minimal = ofWorkspace([special("minimal", "read")], { disk });
  assertEquals(minimal.includes("read /usr"), true);
  assertEquals(minimal.includes("read /usr/bin"), true);
  assertEquals(minimal.some((grant) => grant.startsWith("write")), false);
  assertEquals(ofWorkspace([special("minimal", "read"), special("root", "read")]), ["read /"]);
});

Deno.test("a denied system path stays denied beside minimal", () => {
  const denied = ofWorkspace([special("minimal", "read"), path("/etc", "deny")]);
  assertEquals(denied.includes("deny /etc"), true);
  assertEquals(denied.includes("read /etc"), false);
});

Deno.test("writing everywhere with nothing taken back is no restriction", () => {
  assertEquals(ofWorkspace([special("root", "write"), special("project_roots", "write")]), ["all"]);
  assertEquals(
    ofWorkspace([special("root", "write"), special("minimal", "read")]),
    ["all"],
  );
  assertEquals(
    ofWorkspace([special("root", "write"), path("/etc", "read")]).slice(0, 2),
    ["write /", "read /.agents"],
  );
});

Deno.test("links on the way are followed, and remembered", () => {
  const disk = { "/link": { link: "data/real" }, "/data/real/ws": "directory" } as const;
  const { files, workspaceRoots } = bind({
    workspaceRoots: ["/link/ws"],
    entries: [special("project_roots", "read")],
  }, { disk });
  assertEquals(workspaceRoots, ["/data/real/ws"]);
  assertEquals(files.kind === "granted" && files.grants, [{
    path: "/data/real/ws",
    access: "read",
    kind: "directory",
    links: [{ path: "/link", target: "data/real" }],
  }]);
});

Deno.test("two names of the same directory are one path", () => {
  const disk = { "/link": { link: "/ws" } } as const;
  assertEquals(ofWorkspace([path("/link", "write"), path("/ws", "deny")], { disk }), ["deny /ws"]);
});

Deno.test("a link that leads to what may not be written has to stay as it is", () => {
  const disk = { "/ws/.codex": { link: "shared" }, "/ws/shared": "directory" } as const;
  const { files } = bind({ ...WORKSPACE, entries: [special("project_roots", "write")] }, { disk });
  assertEquals(summary(files), [
    "write /ws",
    "read /ws/.agents",
    "read /ws/.codex",
    "read /ws/.git",
    "read /ws/HEAD",
    "read /ws/shared",
  ]);
  assertEquals(
    files.kind === "granted" && files.grants.find(({ path }) => path === "/ws/.codex")?.kind,
    "link",
  );
});

Deno.test("a link to what is not writable protects the link and opens nothing", () => {
  const disk = { "/ws/.codex": { link: "/home/secret" }, "/home/secret": "directory" } as const;
  assertEquals(ofWorkspace([special("project_roots", "write")], { disk }), [
    "write /ws",
    "read /ws/.agents",
    "read /ws/.codex",
    "read /ws/.git",
    "read /ws/HEAD",
  ]);
});

Deno.test("an entry that makes a protected link's target writable frees the link", () => {
  const disk = { "/ws/.codex": { link: "shared" }, "/ws/shared": "directory" } as const;
  assertEquals(
    ofWorkspace([special("project_roots", "write"), path("/ws/.codex", "write")], { disk })
      .filter((grant) => grant.includes("/.codex")),
    ["read /ws/shared/.codex"],
  );
});

Deno.test("what is missing is taken as it is written", () => {
  const { files } = bind({ ...WORKSPACE, entries: [path("/ws/a/b/c", "read")] });
  assertEquals(files.kind === "granted" && files.grants, [{
    path: "/ws/a/b/c",
    access: "read",
    kind: "missing",
    missingFrom: "/ws/a",
    links: [],
  }]);
});

Deno.test("links in a circle lead nowhere", () => {
  const disk = { "/a": { link: "/b" }, "/b": { link: "/a" } } as const;
  const { files } = bind({ ...WORKSPACE, entries: [path("/a/x", "read")] }, { disk });
  assertEquals(files.kind === "granted" && files.grants[0]?.kind, "unreachable");
});

Deno.test("patterns start at the cwd, at home, at the root or at each workspace root", () => {
  const { files } = bind({
    ...WORKSPACE,
    entries: [
      glob("*.env"),
      glob("~/.netrc"),
      glob("/etc/*.key"),
      glob("codex-project-roots://x/**"),
    ],
  }, { home: "/home/u[1]", disk: { "/home/u[1]/.netrc": { text: "" } } });
  assertEquals(files.kind === "granted" && files.deniedGlobs.map((glob) => glob.base), [
    "/ws",
    "/home/u[1]",
    "/etc",
    "/ws/x",
  ]);
});

for (
  const [what, options, message] of [
    ["a foreign cwd", { cwd: "file:///C:/x", entries: [] }, "cwd"],
    ["a foreign root", { workspaceRoots: ["file:///C:/x"] }, "root"],
    ["a foreign entry", { cwd: "/ws", entries: [path("file:///C:/x", "read")] }, "entry"],
    [
      "a workspace whose only root is missing",
      { workspaceRoots: ["/nowhere"], entries: workspaceWrite },
      "'/nowhere' does not exist",
    ],
    [
      "a workspace all of whose roots are missing",
      { workspaceRoots: ["/nowhere", "/gone"], entries: workspaceWrite },
      "'/nowhere', '/gone'",
    ],
    ["a root that is a file", { workspaceRoots: ["/ws/file"] }, "not a directory"],
    ["a NUL in an entry", {
      cwd: "/ws",
      entries: [path("file:///%00/bad/path/L3RtcC9hAGI", "write")],
    }, "NUL"],
    ["no workspace", { entries: [special("project_roots", "write")] }, "workspace roots"],
    ["a climbing subpath", {
      cwd: "/ws",
      entries: [special("project_roots", "write", "a/../../b")],
    }, "'..'"],
    ["an absolute subpath", {
      cwd: "/ws",
      entries: [special("project_roots", "write", "/etc")],
    }, "absolute"],
    [
      "a subpath of something else",
      { cwd: "/ws", entries: [special("root", "read", "etc")] },
      "subpath",
    ],
    [
      "a relative pattern without cwd",
      { workspaceRoots: ["/ws"], entries: [glob("*.env")] },
      "cwd",
    ],
    ["a home pattern without home", { cwd: "/ws", entries: [glob("~/x")] }, "home"],
    ["a climbing pattern", { cwd: "/ws", entries: [glob("../*")] }, "'..'"],
    ["an unreadable pattern", { cwd: "/ws", entries: [glob("a{b")] }, "`{`"],
  ] as const
) {
  Deno.test(`${what} is refused as invalid`, () => {
    const error = assertThrows(
      () => bind(options, { disk: { "/ws/file": { text: "" } } }),
      RpcError,
    );
    assertEquals(error.code, -32602);
    assertStringIncludes(error.message, message);
  });
}

for (
  const [what, network, permissions] of [
    ["restricted", "none", { type: "external", network: "restricted" }],
    ["enabled", "host", { type: "external", network: "enabled" }],
    ["disabled", "host", { type: "disabled" }],
  ] as const
) {
  Deno.test(`permissions that are ${what} leave files alone and the network ${network}`, () => {
    const bound = bind({ ...WORKSPACE, permissions });
    assertEquals(bound.files, { kind: "all" });
    assertEquals(bound.network, { kind: network });
  });
}

Deno.test("a managed network limits connections whatever the permissions say", () => {
  const facts = { convention: "posix", home: undefined, temporaryDirectory: undefined } as const;
  const managedNetwork = { loopbackPorts: [8080], allowLocalBinding: true };
  assertEquals(
    bindPolicy(
      { sandbox: undefined, enforceManagedNetwork: true, managedNetwork },
      facts,
      fakeDisk({}),
    )
      .network,
    { kind: "loopback", ports: [8080], localBinding: true },
  );
  assertEquals(
    bindPolicy(
      { sandbox: undefined, enforceManagedNetwork: true, managedNetwork: undefined },
      facts,
      fakeDisk({}),
    ).network,
    { kind: "none" },
  );
});

Deno.test("certificates can be read unless an entry is about that very file", () => {
  const host: Host = {
    disk: { "/home": "directory", "/home/ca.pem": { text: "" }, "/home/secrets": "directory" },
    certificateFiles: ["/home/ca.pem", "/home/secrets", "/missing.pem"],
  };
  const system = [special("project_roots", "write")];
  assertEquals(
    ofWorkspace(system, host).filter((grant) => !grant.includes("/ws")),
    ["read /home/ca.pem"],
  );
  const denied = [special("root", "read"), path("/home", "deny")];
  assertEquals(ofWorkspace(denied, host), ["read /", "deny /home", "read /home/ca.pem"]);
  const itself = [special("root", "read"), path("/home/ca.pem", "deny")];
  assertEquals(ofWorkspace(itself, host), ["read /", "deny /home/ca.pem"]);
  assertEquals(ofWorkspace([special("root", "read")], host), ["read /"]);
});
