import { assert, assertEquals, assertThrows } from "@std/assert";
import { pathTo } from "../../../src/os/open_at.ts";
import { SystemError } from "../../../src/os/errno.ts";
import { AccessPolicy } from "../../../src/filesystem/access/access_policy.ts";
import { resolveBeneath } from "../../../src/filesystem/access/resolve_beneath.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { path, special, workspaceWrite } from "../../sandbox/context.ts";
import { TestDirectory } from "../../support/test_directory.ts";
import { grantedIn } from "./scene.ts";

const ignore = Deno.build.os !== "linux";

/** A tree of links, from which some lead nowhere and some in circles. */
async function tangle(): Promise<TestDirectory> {
  const directory = await TestDirectory.create();
  await directory.fill({ "a/b/c/file": "file", "a/other": "other" });
  const links = {
    "relative": "a/b",
    "absolute": directory.at("a/b/c"),
    "chain": "relative/../b/c/./file",
    "a/b/up": "..",
    "a/b/c/far": "../../../absolute/file",
    "slashes": ".//a///b//",
    "fileSlash": "a/other/",
    "dangling": "a/missing",
    "danglingFar": "missing/missing",
    "loop": "loop",
    "ping": "pong",
    "pong": "./ping",
    "root": "/",
    "above": "/../../..",
    "öß": "a",
    "new\nline": "a/other",
  };
  for (const [name, target] of Object.entries(links)) {
    await Deno.symlink(target, directory.at(name));
  }
  // As many links as the kernel follows, and one more.
  for (let number = 1; number <= 41; number++) {
    await Deno.symlink(number === 1 ? "a" : `n${number - 1}`, directory.at(`n${number}`));
  }
  return directory;
}

const PATHS = [
  "",
  "a",
  "a/",
  "a/.",
  "a/b/..",
  "a/b/c/file",
  "a/b/c/file/",
  "a/b/c/file/.",
  "a/b/c/file/..",
  "a/b/c/file/x",
  "relative",
  "relative/up",
  "relative/up/up",
  "absolute/file",
  "absolute/../..",
  "absolute/far",
  "chain",
  "slashes",
  "slashes/c",
  "fileSlash",
  "dangling",
  "danglingFar",
  "loop",
  "ping",
  "ping/x",
  "root",
  "root/tmp",
  "above",
  "öß/other",
  "new\nline",
  "n40",
  "n40/other",
  "n41",
  "missing",
  "missing/x",
  "missing/../a",
  "../../../../../..",
  "a/b/c/../../../a/other",
  `${"x".repeat(300)}`,
  "x/".repeat(1000),
];

Deno.test({
  name: "routes lead where the kernel's own lead, and fail where those fail",
  ignore,
  fn: async (t) => {
    await using directory = await tangle();
    const policy = new AccessPolicy(grantedIn(directory.at("a"), workspaceWrite));
    for (const name of PATHS) {
      await t.step(JSON.stringify(name.slice(0, 50)), () => {
        const path = directory.at(name);
        const [ours, kernels] = [outcome(() => follow(path, policy)), outcome(() => real(path))];
        assertEquals(ours, kernels);
      });
    }
  },
});

function follow(path: string, policy: AccessPolicy): string {
  using resolved = resolveBeneath(path, policy, true);
  if (resolved.object === undefined) throw new SystemError("ENOENT");
  assertEquals(Deno.readLinkSync(pathTo(resolved.object)), resolved.path);
  return resolved.path;
}

function real(path: string): string {
  return Deno.realPathSync(path);
}

function outcome(action: () => string): string {
  try {
    return action();
  } catch (error) {
    assert(error instanceof Error && "code" in error);
    return String(error.code);
  }
}

Deno.test({
  name: "a resolved to a link itself, and one to where nothing is",
  ignore,
  fn: async () => {
    await using directory = await tangle();
    const policy = new AccessPolicy(grantedIn(directory.at("a"), workspaceWrite));
    const describe = (name: string, followLast: boolean) => {
      using resolved = resolveBeneath(directory.at(name), policy, followLast);
      return [resolved.path.slice(directory.path.length + 1), resolved.object !== undefined];
    };
    assertEquals(describe("relative/up", false), ["a/b/up", true]);
    assertEquals(describe("dangling", false), ["dangling", true]);
    assertEquals(describe("dangling", true), ["a/missing", false]);
    assertEquals(describe("relative/none", true), ["a/b/none", false]);
  },
});

Deno.test({
  name:
    "a resolved ends at the first name that nothing leads to, and tells not whether it is there",
  ignore,
  fn: async () => {
    await using directory = await tangle();
    const entries = [special("project_roots", "write")];
    const policy = new AccessPolicy(grantedIn(directory.at("a/b"), entries));
    const message = (name: string) =>
      assertThrows(() => resolveBeneath(directory.at(name), policy, true), RpcError).message
        .replaceAll(directory.path, "");
    const refusal = (name: string) =>
      `the sandbox does not allow to see '/${name}': No such file or directory (os error 2)`;
    assertEquals(message("a/other"), refusal("a/other"));
    assertEquals(message("a/missing"), refusal("a/missing"));
    assertEquals(message("root/etc"), refusal("root"));
    // On its way it would show that the link is there.
    assertEquals(message("relative/c"), refusal("relative"));
    assertEquals(message("missing/../a/b/c"), refusal("missing"));
    // From inside a link may say whatever it likes.
    assertEquals(message("a/b/c/far"), refusal("absolute"));
  },
});

Deno.test({
  name: "links that lead to what is granted may be passed",
  ignore,
  fn: async () => {
    await using directory = await tangle();
    const entries = [path(directory.at("relative/c"), "read")];
    const policy = new AccessPolicy(grantedIn(directory.at("a"), entries));
    using resolved = resolveBeneath(directory.at("relative/c/file"), policy, true);
    assertEquals(resolved.path, directory.at("a/b/c/file"));
  },
});

Deno.test({
  name: "a name with a NUL in it leads nowhere",
  ignore,
  fn: () => {
    const policy = new AccessPolicy(grantedIn("/tmp", workspaceWrite));
    assertThrows(() => resolveBeneath("/tmp\0/../etc/passwd", policy, true), RpcError, "NUL");
  },
});

Deno.test({
  name: "no resolved leaves a descriptor behind, wherever it leads",
  ignore,
  fn: async () => {
    await using directory = await tangle();
    const policy = new AccessPolicy(grantedIn(directory.at("a"), workspaceWrite));
    const open = () => Array.from(Deno.readDirSync("/proc/self/fd")).length;
    const before = open();
    for (const followLast of [true, false]) {
      for (const name of PATHS) {
        outcome(() => {
          using resolved = resolveBeneath(directory.at(name), policy, followLast);
          return resolved.path;
        });
      }
    }
    assertEquals(open(), before);
  },
});
