/** A limit of a control group that is none: the largest number of pages that there can be. */
const UNLIMITED = 2 ** 62;

/** Where control groups of the second version, those beside the first, and the first are mounted. */
const ROOTS = {
  unified: ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
  memory: "/sys/fs/cgroup/memory",
};

/**
 * How much memory this program can have, in bytes: the machine's, or less where a control group that
 * it belongs to, such as a container's, has less (cgroups(7)).
 */
export function memoryLimit(): number {
  const machine = Deno.systemMemoryInfo().total;
  return Deno.build.os === "linux" ? Math.min(machine, controlGroupLimit()) : machine;
}

function controlGroupLimit(): number {
  let least = Infinity;
  for (const line of read("/proc/self/cgroup").split("\n")) {
    const [id, controllers = "", ...rest] = line.split(":");
    const path = rest.join(":");
    if (id === "0") {
      for (const root of ROOTS.unified) {
        least = Math.min(least, limitAlong(root, path, "memory.max"));
      }
    } else if (controllers.split(",").includes("memory")) {
      least = Math.min(least, limitAlong(ROOTS.memory, path, "memory.limit_in_bytes"));
    }
  }
  return least;
}

/**
 * The least limit of a group and those above it. In a container the path may be the one outside,
 * which is not there, while the container's own group is at the root.
 */
function limitAlong(root: string, path: string, file: string): number {
  const names = path.split("/").filter((name) => name !== "");
  let least = Infinity;
  for (let count = names.length; count >= 0; count--) {
    const limit = Number.parseInt(read([root, ...names.slice(0, count), file].join("/")));
    if (limit > 0 && limit < UNLIMITED) least = Math.min(least, limit);
  }
  return least;
}

/** The text of a file, empty if it cannot be read. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
