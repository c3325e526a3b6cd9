import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { accessTo } from "../../../src/sandbox/policy/bound_policy.ts";
import { minimalPaths } from "../../../src/sandbox/policy/entries.ts";
import { glob, path, special, workspaceWrite } from "../context.ts";
import { bindOnMac, rights, sandbox, sandboxOnMac } from "./seatbelt_scene.ts";

/** What each path may be used for. */
function assertRights(
  sandboxed: ReturnType<typeof sandboxOnMac>,
  expected: Readonly<Record<string, string>>,
) {
  const found = Object.keys(expected).map((path) => [path, rights(sandboxed, path)]);
  assertEquals(Object.fromEntries(found), expected);
}

Deno.test("the workspace can be written, its protected names in no spelling", () => {
  assertRights(sandboxOnMac({ entries: workspaceWrite }), {
    "/ws": "rw",
    "/ws/a/b": "rw",
    "/ws/.git": "r",
    "/ws/.GIT/config": "r",
    "/ws/.git/hooks/x": "r",
    "/ws/.agents": "r",
    "/ws/.Codex/y": "r",
    "/ws/.gitignore": "rw",
    "/ws/xgit": "rw",
    "/ws/sub/.git": "rw",
    "/wsx": "r",
    "/etc/passwd": "r",
  });
});

Deno.test("read, write and deny nest at any depth", () => {
  const sandboxed = sandboxOnMac({
    entries: [
      special("root", "read"),
      path("/ws", "write"),
      path("/ws/ro", "read"),
      path("/ws/ro/rw", "write"),
      path("/ws/ro/rw/no", "deny"),
      path("/ws/ro/rw/no/yes", "read"),
      path("/ws/ro/rw/no/yes/rw", "write"),
    ],
  }, { "/ws/ro/rw/no/yes/rw/x": "directory" });
  assertRights(sandboxed, {
    "/": "r",
    "/ws/x": "rw",
    "/ws/ro": "r",
    "/ws/ro/x": "r",
    "/ws/ro/rw": "rw",
    "/ws/ro/rw/x": "rw",
    "/ws/ro/rw/no": "",
    "/ws/ro/rw/no/x": "",
    "/ws/ro/rw/no/yes": "r",
    "/ws/ro/rw/no/yes/x": "r",
    "/ws/ro/rw/no/yes/rw/x": "rw",
    "/ws/ro/rw/no/yes/rw/.git": "r",
  });
});

Deno.test("the profile decides as the policy does, whatever is granted", () => {
  const names = ["/a", "/a/b", "/a/b/c", "/a/d", "/e"];
  const accesses = ["none", "read", "write", "deny"];
  const paths = [...names, ...names.map((name) => `${name}/x`), "/z", "/ab"];
  for (let number = 0; number < accesses.length ** names.length; number += 7) {
    const entries = names.flatMap((name, digit) => {
      const access = accesses[Math.floor(number / accesses.length ** digit) % accesses.length];
      return access === "none" || access === undefined ? [] : [path(name, access)];
    });
    const policy = bindOnMac({ entries }, { "/a/b/c/x": "directory", "/a/d": "directory" });
    const sandboxed = sandbox({ policy });
    for (const path of paths) {
      const wanted = { read: "r", write: "rw", deny: "" }[accessTo(policy.files, path)];
      assertEquals([entries, path, rights(sandboxed, path)], [entries, path, wanted]);
    }
  }
});

Deno.test("without a grant of the root only the way to what is granted can be looked at", () => {
  const sandboxed = sandboxOnMac({ entries: [path("/Users/me/p", "read")] }, {
    "/Users/me/p": "directory",
  });
  assertRights(sandboxed, { "/Users/me/p/x": "r", "/Users/me": "", "/Users/me/q": "" });
  const canStat = (path: string) =>
    sandboxed.profile.allows({ operation: "file-read-metadata", path });
  assertEquals(
    ["/Users", "/Users/me", "/Users/me/q", "/Library"].map(canStat),
    [true, true, false, false],
  );
});

Deno.test("links on the way are resolved, and can be looked at", () => {
  const sandboxed = sandboxOnMac({
    entries: [special("slash_tmp", "write"), special("tmpdir", "write"), path("/l/x", "read")],
  }, { "/l": { link: "/data/l" }, "/data/l/x": "directory" });
  assert(sandboxed.definitions.includes("WRITE_0=/private/tmp"));
  assert(sandboxed.definitions.includes("WRITE_1=/private/var/folders/x/T"));
  assertRights(sandboxed, { "/private/tmp/x": "rw", "/data/l/x/y": "r", "/tmp/x": "" });
  assert(sandboxed.profile.allows({ operation: "file-read-metadata", path: "/l" }));
});

Deno.test("a denied path is meant in whatever spelling the disk has it", () => {
  const policy = bindOnMac({ entries: [special("root", "write"), path("/ws/secret", "deny")] }, {
    "/ws/secret": "directory",
  });
  const onDisk = (path: string) => path.replace("/ws/secret", "/ws/Secret");
  const sandboxed = sandbox({ policy }, onDisk);
  assertRights(sandboxed, { "/ws/Secret": "", "/ws/Secret/x": "", "/ws/other": "rw" });
});

Deno.test("a denied path that is missing is meant in every spelling", () => {
  const policy = bindOnMac({ entries: [special("root", "write"), path("/ws/secret", "deny")] });
  const sandboxed = sandbox({ policy }, (path) => path === "/ws/secret" ? undefined : path);
  assertRights(sandboxed, { "/ws/SECRET": "", "/ws/secret/x": "", "/ws/secrets": "rw" });
});

Deno.test("the data volume's own paths are the ones below the root", () => {
  const volume = "/System/Volumes/Data";
  const policy = bindOnMac({
    entries: [special("root", "write"), path(`${volume}/Users/me/k`, "deny")],
  }, { [`${volume}/Users/me/k`]: "directory" });
  assertRights(sandbox({ policy }), { "/Users/me/k": "", "/Users/me/l": "rw" });
});

Deno.test("the way to an exception cannot be renamed, replaced or taken by something else", () => {
  const sandboxed = sandboxOnMac({
    entries: [...workspaceWrite, path("/ws/a/b/secret", "deny"), path("/ws/new/key", "deny")],
  }, { "/ws/a/b/secret": "directory", "/ws/a/c": "directory" });
  const can = (operation: string, path: string) => sandboxed.profile.allows({ operation, path });
  for (const path of ["/ws", "/ws/a", "/ws/a/b", "/ws/a/b/secret", "/ws/new"]) {
    assertEquals([path, can("file-write-unlink", path)], [path, false]);
    assertEquals([path, can("file-write-create", path)], [path, false]);
  }
  for (const path of ["/ws/a/c", "/ws/a/b/x", "/ws/newer"]) {
    assertEquals([path, can("file-write-unlink", path)], [path, true]);
    assertEquals([path, can("file-write-create", path)], [path, true]);
  }
});

Deno.test("a repository elsewhere is protected by the file that points to it", () => {
  const sandboxed = sandboxOnMac({ entries: workspaceWrite }, {
    "/ws/.git": { text: "gitdir: real/worktree\n" },
    "/ws/real/worktree": "directory",
  });
  assertRights(sandboxed, {
    "/ws/.git": "r",
    "/ws/real/worktree/config": "r",
    "/ws/real/other": "rw",
  });
  assert(!sandboxed.profile.allows({ operation: "file-write-unlink", path: "/ws/real" }));
});

Deno.test("the temporary directories are workspaces too, and so is the root", () => {
  const entries = [special("root", "read"), special("slash_tmp", "write")];
  assertRights(sandboxOnMac({ entries: [...entries, special("tmpdir", "write")] }), {
    "/private/tmp/x": "rw",
    "/private/tmp/.git": "r",
    "/private/var/folders/x/T/.codex/y": "r",
  });
  assertRights(sandboxOnMac({ entries: [special("root", "write"), path("/k", "deny")] }), {
    "/.git": "r",
    "/.codex/config": "r",
    "/k": "",
    "/k/x": "",
    "/x/.git": "rw",
    "/x": "rw",
  });
});

Deno.test("a protected name that is granted by name can be written", () => {
  const entries = [...workspaceWrite, special("project_roots", "write", ".git")];
  assertRights(sandboxOnMac({ entries }, { "/ws/.git": "directory" }), {
    "/ws/.git/config": "rw",
    "/ws/.agents": "r",
  });
});

Deno.test("a pattern behind a link means the files that it leads to", () => {
  const files = { "/l": { link: "/data" }, "/data/sub": "directory" } as const;
  const sandboxed = sandboxOnMac(
    { entries: [special("root", "write"), glob("/l/**/*.env")] },
    files,
  );
  assertRights(sandboxed, { "/data/.env": "", "/data/sub/x.env": "", "/data/x": "rw" });
});

Deno.test("what matches a pattern is denied, later as well, and so is what is below", () => {
  const sandboxed = sandboxOnMac({
    entries: [...workspaceWrite, glob("/ws/**/*.env"), glob("/tmp/[a-c]?.{key,pem}")],
  });
  assertRights(sandboxed, {
    "/ws/.env": "",
    "/ws/a/b/prod.env": "",
    "/ws/prod.env/x": "",
    "/ws/prod.ENV": "",
    "/ws/prod.envx": "rw",
    "/ws/env": "rw",
    "/private/tmp/a1.key": "",
    "/private/tmp/bé.pem": "",
    "/private/tmp/a12.key": "r",
    "/private/tmp/d1.key": "r",
    "/other/.env": "r",
  });
  assertEquals(
    sandboxed.profile.allows({ operation: "file-write-unlink", path: "/ws/.env" }),
    false,
  );
});

Deno.test("a grant below what a pattern denies is refused: it would be denied as well", () => {
  const options = {
    entries: [...workspaceWrite, glob("/ws/private*"), path("/ws/private1/ok", "read")],
  };
  assertThrows(() => sandboxOnMac(options), RpcError, "cannot grant '/ws/private1/ok'");
});

Deno.test("preferences are readable only where all files are", () => {
  const preferences = "(allow user-preference-read)";
  assertStringIncludes(sandboxOnMac({ entries: workspaceWrite }).text, preferences);
  assert(!sandboxOnMac({ entries: workspaceWrite }).text.includes("user-preference-write"));
  for (const restricted of [glob("/ws/*.env"), path("/Users/me/Library", "deny")]) {
    const { text } = sandboxOnMac({ entries: [...workspaceWrite, restricted] });
    assert(!text.includes(preferences));
  }
  assert(!sandboxOnMac({ entries: [path("/ws", "read")] }).text.includes(preferences));
});

Deno.test("an policy about the network alone leaves files open", () => {
  const sandboxed = sandboxOnMac({ permissions: { type: "external", network: "restricted" } });
  assertRights(sandboxed, { "/": "rw", "/etc/x": "rw", "/ws/.git": "rw" });
  assertEquals(sandboxed.definitions, []);
});

Deno.test("what a program needs to start is there on macOS", () => {
  const system = minimalPaths("darwin");
  for (const path of ["/System", "/usr", "/bin", "/private/etc"]) assert(system.includes(path));
  assert(!system.some((path) => "/Users".startsWith(path) || path.startsWith("/Users")));
});
