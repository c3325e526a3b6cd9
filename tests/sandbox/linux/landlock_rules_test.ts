import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BoundFiles, Grant } from "../../../src/sandbox/policy/bound_policy.ts";
import { landlockRules } from "../../../src/sandbox/landlock/rules.ts";

function granted(...grants: [Grant["access"], string, Grant["kind"]?][]): BoundFiles {
  return {
    kind: "granted",
    grants: grants.map(([access, path, kind = "directory"]) => ({ access, path, kind, links: [] })),
    deniedGlobs: [],
    globMaxDepth: undefined,
  };
}

/** The rules that the grants themselves lead to. */
function rules(files: BoundFiles): string[] {
  const result = landlockRules(files, []);
  if (result.kind === "refused") throw new Error(result.reason);
  return result.rules.map(({ path, access }) => `${access} ${path}`)
    .filter((rule) => !rule.includes("/dev/") && !rule.endsWith(" /proc"));
}

function refusal(files: BoundFiles): string {
  const result = landlockRules(files, []);
  return result.kind === "refused" ? result.reason : "";
}

Deno.test("rights that only grow below can be expressed", () => {
  assertEquals(rules(granted(["read", "/"], ["write", "/tmp"], ["write", "/ws", "missing"])), [
    "read /",
    "write /tmp",
  ]);
  assertEquals(rules(granted(["deny", "/"], ["read", "/usr"], ["deny", "/home"])), ["read /usr"]);
  assertEquals(rules({ kind: "all" }), ["write /", "use /dev"]);
});

Deno.test("devices and the own process can be used in any case", () => {
  const result = landlockRules(granted(), []);
  const paths = result.kind === "rules" ? result.rules.map(({ path }) => path) : [];
  assertEquals(["/proc", "/dev/null", "/dev/tty"].every((path) => paths.includes(path)), true);
});

Deno.test("what takes rights back below a grant cannot be expressed, there or not", () => {
  assertStringIncludes(
    refusal(granted(["read", "/"], ["write", "/ws"], ["read", "/ws/.git", "missing"])),
    "'/ws/.git' read-only while '/ws'",
  );
  assertStringIncludes(refusal(granted(["read", "/"], ["deny", "/etc/x"])), "'/etc/x' denied");
});

Deno.test("globs cannot be expressed", () => {
  const glob = {
    pattern: "/ws/*.env",
    base: "/ws",
    links: [],
    names: ["*.env"],
    matches: () => false,
    mayMatchBelow: () => false,
  };
  const files: BoundFiles = { kind: "granted", grants: [], deniedGlobs: [glob], globMaxDepth: 1 };
  assertStringIncludes(refusal(files), "'/ws/*.env' denied");
});

Deno.test("what shows the kernel is excepted from every grant to write", () => {
  const trees = ["/proc", "/sys", "/srv/chroot/proc", "/dev"];
  const all = landlockRules({ kind: "all" }, trees);
  assertEquals(all.kind === "rules" && all.rules.slice(0, 2), [
    { path: "/", access: "write", except: ["/dev", "/proc", "/sys", "/srv/chroot/proc"] },
    { path: "/dev", access: "use" },
  ]);
  const below = landlockRules(granted(["read", "/"], ["write", "/srv"], ["write", "/ws"]), trees);
  assertEquals(below.kind === "rules" && below.rules.slice(0, 3), [
    { path: "/", access: "read" },
    { path: "/srv", access: "write", except: ["/srv/chroot/proc"] },
    { path: "/ws", access: "write" },
  ]);
  assertEquals(landlockRules(granted(["write", "/sys/fs/cgroup"]), trees).kind, "refused");
  const processes = landlockRules(granted(["write", "/proc/self"], ["write", "/dev"]), trees);
  assertEquals(
    processes.kind === "rules" && processes.rules.some(({ access }) => access === "write"),
    false,
  );
});
