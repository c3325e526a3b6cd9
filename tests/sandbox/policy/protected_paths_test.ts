import { assertEquals, assertThrows } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { bindPolicy } from "../../../src/sandbox/policy/bind.ts";
import { context, type WireEntry, workspaceWrite } from "../context.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";

/** Those that always stay read-only in a writable workspace. */
const ALWAYS = [".git", ".agents", ".codex", "HEAD"].map((name) => `/ws/${name}`);

/** What stays read-only in it besides. */
function kept(
  disk: Readonly<Record<string, FakeEntry>>,
  entries: readonly WireEntry[] = workspaceWrite,
): string[] {
  return readOnly(disk, entries).filter((path) => !ALWAYS.includes(path));
}

function readOnly(
  disk: Readonly<Record<string, FakeEntry>>,
  entries: readonly WireEntry[] = workspaceWrite,
): string[] {
  const sandbox = context({ entries, workspaceRoots: ["/ws"] });
  const intent = { sandbox, enforceManagedNetwork: false, managedNetwork: undefined };
  const facts = { convention: "posix", home: undefined, temporaryDirectory: undefined } as const;
  const { files } = bindPolicy(intent, facts, fakeDisk({ "/ws": "directory", ...disk }));
  if (files.kind === "all") return [];
  return files.grants.filter(({ access, path }) => access === "read" && path !== "/")
    .map(({ path, kind }) => kind === "link" ? `link ${path}` : path);
}

const REPOSITORY = { "/ws/.git/HEAD": { text: "ref: refs/heads/main\n" } };

Deno.test("an ordinary repository needs nothing besides its directory", () => {
  assertEquals(kept(REPOSITORY), []);
});

for (
  const [what, text] of [
    ["a line end", "gitdir: meta\n"],
    ["no line end", "gitdir: meta"],
    ["carriage returns", "gitdir: meta\r\n\r\n"],
    ["many line ends", `gitdir: meta${"\n".repeat(5000)}`],
    ["a NUL", "gitdir: meta\0rest\n"],
  ] as const
) {
  Deno.test(`a .git file whose path ends with ${what} is read as git reads it`, () => {
    const disk = { "/ws/.git": { text }, "/ws/meta/HEAD": { text: "" } };
    assertEquals(kept(disk), ["/ws/meta"]);
  });
}

Deno.test("a line end may be a part of the path that a .git file holds", () => {
  const disk = {
    "/ws/.git": { text: "gitdir: a\nb\n" },
    "/ws/a": "directory",
    "/ws/a\nb/HEAD": { text: "" },
  } as const;
  assertEquals(kept(disk), ["/ws/a\nb"]);
});

Deno.test("a file that does not begin as a .git file does holds no path", () => {
  assertEquals(kept({ "/ws/.git": { text: "x\ngitdir: meta\n" } }), []);
  assertEquals(kept({ "/ws/.git": { text: "\u{feff}gitdir: meta\n" } }), []);
});

Deno.test("every link on the way that a .git file shows is kept", () => {
  const disk = {
    "/ws/.git": { text: "gitdir: a/to/meta\n" },
    "/ws/a": { link: "b" },
    "/ws/b/to": { link: "../c" },
    "/ws/c/meta/HEAD": { text: "" },
  } as const;
  assertEquals(kept(disk), ["link /ws/a", "link /ws/b/to", "/ws/c/meta"]);
});

Deno.test("a name after a link is taken back where the link leads", () => {
  const disk = {
    "/ws/.git": { text: "gitdir: a/../meta\n" },
    "/ws/a": { link: "b/c" },
    "/ws/b/c": "directory",
    "/ws/b/meta/HEAD": { text: "" },
  } as const;
  assertEquals(kept(disk), ["link /ws/a", "/ws/b/meta", "/ws/b/c/.git"]);
});

Deno.test("a directory that git goes into and out of again is kept in place", () => {
  const disk = {
    "/ws/.git": { text: "gitdir: a/./b/../../meta\n" },
    "/ws/a/b": "directory",
    "/ws/meta/HEAD": { text: "" },
  } as const;
  assertEquals(kept(disk), ["/ws/meta", "/ws/a/b/.git"]);
});

Deno.test("a directory that a link on git's way goes into and out of again is kept in place", () => {
  const disk = {
    ...REPOSITORY,
    "/ws/.git/config": { link: "../a/../dotconfig" },
    "/ws/a": "directory",
    "/ws/dotconfig": { text: "" },
  } as const;
  assertEquals(kept(disk), ["/ws/dotconfig", "/ws/a/.git"]);
});

Deno.test("what a repository consists of is protected where links lead", () => {
  const disk = {
    ...REPOSITORY,
    "/ws/.git/HEAD": { link: "../head" },
    "/ws/head": { text: "ref: refs/heads/main\n" },
    "/ws/.git/index": { link: "../ix" },
    "/ws/ix": { text: "" },
    "/ws/.git/objects/info/alternates": { link: "../../../alternates" },
    "/ws/alternates": { text: "" },
    "/ws/.git/refs": { link: "../names" },
    "/ws/names": "directory",
  } as const;
  assertEquals(kept(disk).toSorted(), [
    "/ws/alternates",
    "/ws/head",
    "/ws/ix",
    "/ws/names",
  ]);
});

for (const end of ["", "\n", "\r\n", "\r", "\n\n"]) {
  Deno.test(`a commondir that ends with ${JSON.stringify(end)} is followed`, () => {
    const disk = {
      "/ws/.git": { text: "gitdir: meta\n" },
      "/ws/meta/HEAD": { text: "" },
      "/ws/meta/commondir": { text: `../shared${end}` },
      "/ws/shared": "directory",
    } as const;
    assertEquals(kept(disk), ["/ws/meta", "/ws/shared"]);
  });
}

Deno.test("a commondir in an ordinary repository is followed, and links on its way kept", () => {
  const disk = {
    ...REPOSITORY,
    "/ws/.git/commondir": { text: "../link/shared\n" },
    "/ws/link": { link: "real" },
    "/ws/real/shared": "directory",
  } as const;
  assertEquals(kept(disk), ["link /ws/link", "/ws/real/shared"]);
});

Deno.test("what tells git what to run is protected where links lead", () => {
  const disk = {
    ...REPOSITORY,
    "/ws/.git/hooks": { link: "../hooks" },
    "/ws/hooks": "directory",
    "/ws/.git/config": { link: "../dotfiles/gitconfig" },
    "/ws/dotfiles/gitconfig": { text: "" },
    "/ws/.git/commondir": { link: "../common" },
    "/ws/common": { text: ".\n" },
  } as const;
  assertEquals(kept(disk), ["/ws/common", "/ws/hooks", "/ws/dotfiles/gitconfig"]);
});

for (const at of ["/ws/.git", "/ws/.git/commondir"]) {
  Deno.test(`a path in ${at} that is not UTF-8 is refused`, () => {
    const text = at === "/ws/.git" ? "gitdir: m\u{fffd}\n" : "../m\u{fffd}\n";
    const error = assertThrows(() => kept({ [at]: { text } }), RpcError, "not UTF-8");
    assertEquals(error.code, -32603);
  });
}

Deno.test("a directory cannot be made a repository, whatever its .git is like", () => {
  const damaged: readonly Readonly<Record<string, FakeEntry>>[] = [
    {},
    REPOSITORY,
    { "/ws/.git": "directory" },
    { "/ws/.git/HEAD": "directory", "/ws/.git/objects": "directory", "/ws/.git/refs": "directory" },
    {
      "/ws/.git/HEAD": { text: "" },
      "/ws/.git/objects": "directory",
      "/ws/.git/refs": "directory",
    },
    { ...REPOSITORY, "/ws/.git/objects": { text: "" }, "/ws/.git/refs": "directory" },
    { "/ws/.git/HEAD": { link: "../x" }, "/ws/x": { text: "" } },
    { "/ws/.git": { text: "gitdir: gone\n" } },
  ];
  for (const disk of damaged) {
    assertEquals(ALWAYS.filter((path) => !readOnly(disk).includes(path)), []);
  }
  assertEquals(kept({ "/ws/.git": { text: "gitdir: gone\n" } }), ["/ws/gone"]);
});

Deno.test("a directory that is a repository itself keeps what tells git what to run", () => {
  const names = ["commondir", "config", "config.worktree", "hooks", "index", "worktrees"];
  // Parts that are missing could be made.
  const disk = { "/ws/HEAD": { text: "" }, "/ws/config": { text: "" } } as const;
  assertEquals(kept(disk), names.map((name) => `/ws/${name}`));
});
