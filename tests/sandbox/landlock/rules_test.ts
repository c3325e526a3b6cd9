import { assertEquals } from "@std/assert";
import type { BoundFiles, Grant } from "../../../src/sandbox/policy/bound_policy.ts";
import {
  type LandlockFiles,
  landlockFiles as planned,
} from "../../../src/sandbox/landlock/rules.ts";

const NEWEST = 7;

function landlockFiles(
  files: BoundFiles,
  version = NEWEST,
  kernelTrees: readonly string[] = [],
): LandlockFiles {
  const result = planned(files, version, kernelTrees, false);
  if (result.kind === "refused") throw new Error(result.reason);
  return result;
}

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
  return landlockFiles(files, NEWEST).rules.map(({ path, access }) => `${access} ${path}`)
    .filter((rule) => !rule.includes("/dev/") && !rule.endsWith(" /proc"));
}

/** The reasons for which calls are handed over. */
function supervised(files: BoundFiles, version = NEWEST): string[] {
  const groups = Object.entries(landlockFiles(files, version).supervised);
  return groups.filter(([_, is]) => is).map(([group]) => group);
}

Deno.test("Landlock grants what is there and not denied", () => {
  assertEquals(
    rules(granted(["read", "/"], ["write", "/tmp"], ["write", "/ws", "missing"], ["deny", "/x"])),
    ["read /", "write /tmp"],
  );
  assertEquals(rules({ kind: "all" }), ["write /", "use /dev"]);
});

Deno.test("devices and the own process can be used in any case", () => {
  const { rules, policy } = landlockFiles(granted());
  const paths = rules.map(({ path }) => path);
  assertEquals(["/proc", "/dev/null", "/dev/tty"].every((path) => paths.includes(path)), true);
  assertEquals(policy.grants, [{ path: "/proc", access: "read" }]);
  assertEquals(policy.devices.includes("/dev/null"), true);
});

Deno.test("nothing of devices and processes is there for writing, whatever is granted", () => {
  const { rules, policy } = landlockFiles(
    granted(["read", "/"], ["write", "/dev"], ["write", "/proc"], ["write", "/proc/irq"]),
  );
  assertEquals(rules.filter(({ access }) => access === "write"), []);
  assertEquals(policy.grants.filter(({ access }) => access === "write"), []);
});

Deno.test("nothing is handed over unless rights are taken back below a grant", () => {
  assertEquals(supervised(granted(["read", "/"])), []);
  assertEquals(supervised(granted(["deny", "/"], ["read", "/usr"], ["deny", "/home"])), []);
  assertEquals(supervised({ kind: "all" }), []);
});

Deno.test("metadata are changed by the supervisor where anything may be written", () => {
  const files = granted(["read", "/"], ["write", "/ws"]);
  assertEquals(supervised(files), ["metadata"]);
  assertEquals(landlockFiles(files, NEWEST).fixedMetadata, false);
  assertEquals(landlockFiles(granted(["read", "/"]), NEWEST).fixedMetadata, true);
});

Deno.test("names that are read-only below a writable directory are the supervisor's, there or not", () => {
  const files = granted(["read", "/"], ["write", "/ws"], ["read", "/ws/.git", "missing"]);
  assertEquals(supervised(files), ["names", "metadata"]);
  assertEquals(
    landlockFiles(files).policy.grants.filter(({ path }) => path !== "/proc"),
    [
      { path: "/", access: "read" },
      { path: "/ws", access: "write" },
      { path: "/ws/.git", access: "read" },
    ],
  );
});

Deno.test("calls that only read are handed over where something readable is denied", () => {
  assertEquals(supervised(granted(["read", "/"], ["deny", "/etc/x"])), ["reads"]);
  assertEquals(
    supervised(granted(["read", "/"], ["write", "/ws"], ["deny", "/ws/x"])),
    ["names", "metadata", "reads"],
  );
});

Deno.test("what an older Landlock lacks is the supervisor's", () => {
  assertEquals(supervised(granted(["read", "/"]), 2), ["names", "signals"]);
  assertEquals(supervised(granted(["read", "/"]), 3), ["signals"]);
  assertEquals(supervised({ kind: "all" }, 5), ["signals"]);
  assertEquals(supervised({ kind: "all" }, 6), []);
});

Deno.test("root's commands may write all files, but not change the modes of devices", () => {
  const all = planned({ kind: "all" }, NEWEST, ["/proc", "/dev"], true);
  if (all.kind === "refused") throw new Error(all.reason);
  assertEquals(all.supervised.metadata, true);
  assertEquals(all.policy.grants.map(({ path, access }) => `${access} ${path}`), [
    "write /",
    "read /dev",
    "read /proc",
  ]);
});

Deno.test("before Linux 6.10 devices that may be read could be controlled", () => {
  for (const path of ["/dev", "/dev/kmsg"]) {
    assertEquals(planned(granted(["read", path, "other"]), 4, []).kind, "refused");
    assertEquals(planned(granted(["read", path, "other"]), 5, []).kind, "rules");
  }
  for (const path of ["/", "/dev/null", "/dev/shm"]) {
    assertEquals(planned(granted(["read", path]), 4, []).kind, "rules");
  }
});

Deno.test("what shows the kernel is excepted from every grant to write", () => {
  const trees = ["/proc", "/sys", "/srv/chroot/proc", "/dev"];
  const all = landlockFiles({ kind: "all" }, NEWEST, trees);
  assertEquals(all.rules.slice(0, 2), [
    { path: "/", access: "write", except: ["/dev", "/proc", "/sys", "/srv/chroot/proc"] },
    { path: "/dev", access: "use" },
  ]);
  const judged = all.policy.grants.map(({ path, access }) => `${access} ${path}`);
  assertEquals(judged, [
    "write /",
    "read /dev",
    "read /proc",
    "read /sys",
    "read /srv/chroot/proc",
  ]);
  const files = granted(["read", "/"], ["write", "/srv"], ["write", "/ws"]);
  assertEquals(landlockFiles(files, NEWEST, trees).rules.slice(0, 3), [
    { path: "/", access: "read" },
    { path: "/srv", access: "write", except: ["/srv/chroot/proc"] },
    { path: "/ws", access: "write" },
  ]);
  assertEquals(planned(granted(["write", "/sys/fs/cgroup"]), NEWEST, trees).kind, "refused");
  const processes = landlockFiles(
    granted(["write", "/proc/self"], ["write", "/dev"]),
    NEWEST,
    trees,
  );
  assertEquals(processes.rules.some(({ access }) => access === "write"), false);
});

Deno.test("the executor's own secrets are hidden by Landlock where they could be read", () => {
  const files: BoundFiles = {
    kind: "granted",
    grants: [
      { path: "/", access: "read", kind: "directory", links: [] },
      { path: "/run/token", access: "deny", kind: "file", links: [], withheld: "secret" },
    ],
    deniedGlobs: [],
    globMaxDepth: undefined,
  };
  assertEquals(landlockFiles(files).rules[0], {
    path: "/",
    access: "read",
    hidden: ["/run/token"],
  });
  assertEquals(supervised(files), []);
});
