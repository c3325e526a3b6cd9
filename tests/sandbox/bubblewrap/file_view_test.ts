import { assertEquals, assertStringIncludes } from "@std/assert";
import { denyFound } from "../../../src/sandbox/policy/denied_glob.ts";
import { bindPolicy } from "../../../src/sandbox/policy/bind.ts";
import { type Mount, planFileView } from "../../../src/sandbox/bubblewrap/file_view.ts";
import { context, glob, path, special, type WireEntry, workspaceWrite } from "../context.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";

type FakeFiles = Readonly<Record<string, FakeEntry>>;

function plan(
  entries: readonly WireEntry[],
  files: FakeFiles = {},
  kernelTrees: readonly string[] = [],
) {
  const disk = fakeDisk({
    "/ws/.git/HEAD": { text: "" },
    "/ws/.agents": "directory",
    "/ws/.codex": "directory",
    ...files,
  });
  const { files: bound } = bindPolicy(
    {
      sandbox: context({ cwd: "/ws", entries }),
      enforceManagedNetwork: false,
      managedNetwork: undefined,
    },
    { convention: "posix", home: undefined, temporaryDirectory: undefined },
    disk,
  );
  return planFileView(denyFound(bound, disk), kernelTrees);
}

/** The view in short: what it lies on, every mount, and what is kept in place. */
function view(entries: readonly WireEntry[], files?: FakeFiles) {
  const planned = plan(entries, files);
  if (planned.kind === "refused") throw new Error(planned.reason);
  const { root, mounts, keptInPlace } = planned.view;
  return { root, mounts: mounts.map(describe), keptInPlace };
}

function describe(mount: Mount): string {
  switch (mount.kind) {
    case "bind":
      return `${mount.writable ? "rw" : "ro"} ${mount.path}`;
    case "emptyDirectory":
      return `${mount.passable ? "passable" : "empty"} ${mount.path}`;
    case "emptyFile":
      return `nofile ${mount.path}`;
    case "link":
      return `link ${mount.path} ${mount.target}`;
  }
}

const KEPT = ["/ws/.agents", "/ws/.codex", "/ws/.git", "/ws/HEAD"];
const PROTECTED = KEPT.map((path) => `ro ${path}`);

Deno.test("workspace-write is a read-only root with a writable workspace", () => {
  assertEquals(view(workspaceWrite), {
    root: "readOnly",
    mounts: ["rw /ws", ...PROTECTED],
    keptInPlace: KEPT,
  });
});

Deno.test("everything is the host as it is", () => {
  assertEquals(view([special("root", "write")]), { root: "host", mounts: [], keptInPlace: [] });
});

Deno.test("nothing granted is nothing to see", () => {
  assertEquals(view([]), { root: "empty", mounts: [], keptInPlace: [] });
});

Deno.test("read, write and deny nest at any depth", () => {
  const files = { "/a/b/c/d/e": "directory" } as const;
  const accesses = ["read", "deny", "read", "write", "deny"];
  const entries = ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/d/e"]
    .map((at, index) => path(at, accesses[index] ?? ""));
  assertEquals(view(entries, files), {
    root: "empty",
    mounts: [
      "ro /a",
      "passable /a/b",
      "ro /a/b/c",
      "rw /a/b/c/d",
      "ro /a/b/c/d/.agents",
      "ro /a/b/c/d/.codex",
      "ro /a/b/c/d/.git",
      "ro /a/b/c/d/HEAD",
      "empty /a/b/c/d/e",
    ],
    keptInPlace: [".agents", ".codex", ".git", "HEAD", "e"].map((name) => `/a/b/c/d/${name}`),
  });
});

Deno.test("what adds nothing is not mounted", () => {
  const files = { "/ws/sub": "directory", "/etc/x": "directory" } as const;
  assertEquals(
    view([...workspaceWrite, path("/etc/x", "read"), path("/ws/sub", "write")], files).mounts
      .filter((mount) => mount.endsWith("/x") || mount.endsWith("/sub")),
    // The directory is mounted for what is protected below it.
    ["rw /ws/sub"],
  );
});

Deno.test("directories above what is protected cannot be moved", () => {
  const files = { "/ws/a/b/secret": { text: "" } } as const;
  assertEquals(
    view([...workspaceWrite, path("/ws/a/b/secret", "deny")], files).mounts,
    [
      "rw /ws",
      ...PROTECTED,
      "rw /ws/a",
      "rw /ws/a/b",
      "nofile /ws/a/b/secret",
    ].toSorted((left, right) => depth(left) - depth(right) || order(left, right)),
  );
});

function depth(mount: string): number {
  return mount.split("/").length;
}

function order(left: string, right: string): number {
  const path = (mount: string) => mount.slice(mount.indexOf("/"));
  return path(left) < path(right) ? -1 : 1;
}

Deno.test("of a missing path the uppermost part is kept from being made", () => {
  const { mounts, keptInPlace } = view([
    ...workspaceWrite,
    path("/ws/x/y/z", "read"),
    path("/ws/x/y", "deny"),
    path("/ws/x/other", "write"),
  ]);
  assertEquals(mounts.filter((mount) => mount.includes("/x")), ["ro /ws/x"]);
  assertEquals(keptInPlace.includes("/ws/x"), true);
});

Deno.test("a missing path that is denied is an empty directory", () => {
  const { mounts, keptInPlace } = view([...workspaceWrite, path("/ws/x", "deny")]);
  assertEquals(mounts.filter((mount) => mount.includes("/x")), ["empty /ws/x"]);
  assertEquals(keptInPlace.includes("/ws/x"), true);
});

Deno.test("a missing path elsewhere needs nothing", () => {
  assertEquals(
    view([special("root", "read"), path("/x", "write"), path("/y", "deny"), path("/z", "read")]),
    { root: "readOnly", mounts: [], keptInPlace: [] },
  );
});

Deno.test("links to what is granted are made where the host's are not to be seen", () => {
  const files = {
    "/bin": { link: "usr/bin" },
    "/usr/bin/sh": { text: "" },
    "/home/link": { link: "/data/real" },
    "/data/real": "directory",
  } as const;
  const { root, mounts } = view([special("minimal", "read"), path("/home/link", "read")], files);
  assertEquals(root, "empty");
  assertEquals(mounts, [
    "link /bin usr/bin",
    "ro /usr",
    "ro /data/real",
    "link /home/link /data/real",
  ]);
});

Deno.test("a view has devices and processes of its own", () => {
  const files = { "/dev/shm": "directory", "/proc/sys": "directory" } as const;
  assertEquals(
    view([
      special("root", "read"),
      path("/dev", "write"),
      path("/dev/shm", "write"),
      path("/proc", "write"),
      path("/proc/sys", "deny"),
    ], files).mounts,
    [
      "rw /dev/shm",
      ...[".agents", ".codex", ".git", "HEAD"].map((name) => `ro /dev/shm/${name}`),
    ],
  );
});

Deno.test("what matches a glob is denied one by one", () => {
  const files = { "/ws/.env": { text: "" }, "/ws/sub/.env": "directory" } as const;
  assertEquals(
    view([...workspaceWrite, glob("**/.env")], files).mounts.filter((m) => !m.startsWith("r")),
    [
      "nofile /ws/.env",
      "empty /ws/sub/.env",
    ],
  );
});

Deno.test("a link that matches a glob denies what it leads to", () => {
  const files = { "/ws/.env": { link: "../data/env" }, "/data/env": { text: "" } } as const;
  assertEquals(
    view([...workspaceWrite, glob("**/.env")], files).mounts.filter((m) => !m.startsWith("r")),
    ["nofile /data/env"],
  );
});

for (
  const [what, entries, files, reason] of [
    [
      "a protected link",
      workspaceWrite,
      { "/ws/.codex": { link: "x" }, "/ws/x": "directory" },
      "link",
    ],
    [
      "a link to something denied",
      [...workspaceWrite, path("/ws/key", "deny")],
      { "/ws/key": { link: "/data/key" }, "/data/key": { text: "" } },
      "link",
    ],
    [
      "a denied path that cannot be looked at",
      [...workspaceWrite, path("/ws/closed/key", "deny")],
      { "/ws/closed/key": "unreachable" },
      "cannot be reached",
    ],
  ] as const
) {
  Deno.test(`${what} below a writable directory is refused`, () => {
    const planned = plan(entries, files);
    assertEquals(planned.kind, "refused");
    assertStringIncludes(planned.kind === "refused" ? planned.reason : "", reason);
  });
}

Deno.test("what shows the kernel is read-only below whatever is granted", () => {
  const trees = ["/proc", "/sys", "/dev", "/srv/chroot/proc"];
  const files = { "/srv/chroot/proc": "directory", "/sys": "directory" } as const;
  const mountsOf = (entries: readonly WireEntry[]) => {
    const planned = plan(entries, files, trees);
    return planned.kind === "refused" ? planned.reason : planned.view.mounts.map(describe);
  };
  assertEquals(mountsOf([special("root", "write")]), ["ro /sys", "ro /srv/chroot/proc"]);
  assertEquals(mountsOf([special("root", "write"), path("/x", "deny")]).slice(0, 3), [
    "ro /.agents",
    "ro /.codex",
    "ro /.git",
  ]);
  assertEquals(
    mountsOf([special("root", "read"), path("/srv", "write")]).slice(-1),
    ["ro /srv/chroot/proc"],
  );
  assertEquals(mountsOf([special("root", "read")]), []);
});

Deno.test("what shows the kernel cannot be granted for writing", () => {
  for (const place of ["/sys", "/sys/fs/cgroup", "/srv/chroot/proc/sys"]) {
    const planned = plan([special("root", "read"), path(place, "write")], {}, [
      "/sys",
      "/srv/chroot/proc",
    ]);
    assertStringIncludes(planned.kind === "refused" ? planned.reason : "", `'${place}'`);
  }
});
