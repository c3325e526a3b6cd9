import type { GroupController } from "./control_hierarchies.ts";

/** Where control groups of the second version, those beside the first, and the first are mounted. */
const UNIFIED = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const SEPARATE = "/sys/fs/cgroup";

/** A control group that this program belongs to. */
export interface OwnControlGroup {
  readonly version: 1 | 2;
  readonly directory: string;
}

/**
 * The control groups that limit this program for a controller, each with those above it (cgroups(7)).
 * In a container the path may be the one outside, which is not there, while the container's own group
 * is at the root.
 */
export function ownControlGroups(controller: GroupController): OwnControlGroup[] {
  return memberships().flatMap(([id, controllers, path]): OwnControlGroup[] => {
    const names = path.split("/").filter((name) => name !== "");
    const directories = (root: string) =>
      Array.from(
        { length: names.length + 1 },
        (_, count) => [root, ...names.slice(0, names.length - count)].join("/"),
      );
    if (id === "0") {
      return UNIFIED.flatMap(directories).map((directory) => ({ version: 2, directory }));
    }
    if (!controllers.split(",").includes(controller)) return [];
    return directories(`${SEPARATE}/${controller}`).map((directory) => ({ version: 1, directory }));
  });
}

/** The groups that this program is in: id, controllers and path of each (cgroups(7)). */
export function memberships(): (readonly [id: string, controllers: string, path: string])[] {
  return readText("/proc/self/cgroup").split("\n").filter((line) => line !== "").map((line) => {
    const [id = "", controllers = "", ...path] = line.split(":");
    return [id, controllers, path.join(":")];
  });
}

/** A number in a file of a control group; undefined if there is none, as for a limit that is `max`. */
export function groupNumber({ directory }: OwnControlGroup, file: string): number | undefined {
  const number = Number.parseInt(readText(`${directory}/${file}`));
  return Number.isNaN(number) ? undefined : number;
}

/** The text of a file, empty if it cannot be read. */
export function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
