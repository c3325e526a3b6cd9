/** Why there can be no control groups; the message names the controller and the group. */
export class ControlGroupError extends Error {
  override readonly name = "ControlGroupError";
}

/** What control groups can limit here (cgroups(7)). */
export type GroupController = "memory" | "pids";

/** Where the second version is mounted, alone or beside the first. */
const UNIFIED_ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/** Where the first version is mounted, a directory a controller. */
const FIRST_ROOT = "/sys/fs/cgroup";
/** The group that an executor withdraws to, as one with groups below it may have no process itself. */
const WITHDRAWN = "remex-executor";

/** A hierarchy of groups, and this program's place in it. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly controllers: readonly GroupController[];
  /** The group that this program is in, also after it has made others. */
  readonly home: string;
  /** The group in which it may make others. */
  readonly place: string;
}

/**
 * The hierarchies in which this program can make groups that limit some controllers.
 *
 * @throws {ControlGroupError} when some of it cannot be limited
 */
export function hierarchiesOf(controllers: readonly GroupController[]): Hierarchy[] {
  const found: Hierarchy[] = [];
  const unified: GroupController[] = [];
  for (const controller of controllers) {
    const place = firstVersionGroup(controller);
    if (place === undefined) unified.push(controller);
    else found.push({ version: 1, controllers: [controller], home: place, place });
  }
  if (unified.length > 0) found.push(unifiedHierarchy(unified));
  return found;
}

/** This program's group in the hierarchy that the first version has for a controller. */
function firstVersionGroup(controller: GroupController): string | undefined {
  for (const [, controllers, path] of memberships()) {
    if (!controllers.split(",").includes(controller)) continue;
    return ownDirectory(`${FIRST_ROOT}/${controller}`, path, "tasks");
  }
  return undefined;
}

/** @throws {ControlGroupError} when controllers have not been delegated to this program's group */
function unifiedHierarchy(controllers: readonly GroupController[]): Hierarchy {
  const [, , path = "/"] = memberships().find(([id]) => id === "0") ?? [];
  const own = UNIFIED_ROOTS.map((root) => ownDirectory(root, path, "cgroup.controllers"))
    .find((directory) => directory !== undefined);
  if (own === undefined) {
    throw new ControlGroupError(
      `${controllers.join(" and ")} cannot be limited: there are no control groups`,
    );
  }
  const had = words(`${own}/cgroup.controllers`);
  const missing = controllers.filter((controller) => !had.includes(controller));
  if (missing.length > 0) {
    throw new ControlGroupError(
      `${missing.join(" and ")} cannot be limited: not delegated to this program's group ${own}`,
    );
  }
  const base = { version: 2, controllers } as const;
  // One that was started before in the same place has withdrawn already.
  if (own.endsWith(`/${WITHDRAWN}`)) {
    const place = own.slice(0, -WITHDRAWN.length - 1);
    enableDelegated(place, controllers);
    return { ...base, home: own, place };
  }
  const passedOn = words(`${own}/cgroup.subtree_control`);
  if (controllers.every((controller) => passedOn.includes(controller))) {
    return { ...base, home: own, place: own };
  }
  return { ...base, home: withdrawTo(own, controllers), place: own };
}

/** Makes room for groups that have limits: the group that they are in may have no process itself. */
function withdrawTo(own: string, controllers: readonly GroupController[]): string {
  const home = `${own}/${WITHDRAWN}`;
  try {
    Deno.mkdirSync(home, { recursive: true });
    moveHere(2, home);
  } catch (error) {
    throw groupError(`${controllers.join(" and ")} cannot be limited: ${own} is not ours`, error);
  }
  try {
    enableDelegated(own, controllers);
    return home;
  } catch (error) {
    moveHere(2, own);
    Deno.removeSync(home);
    throw error;
  }
}

function enableDelegated(directory: string, controllers: readonly GroupController[]): void {
  try {
    enable(directory, controllers);
  } catch (error) {
    throw groupError(
      `${controllers.join(" and ")} cannot be limited: groups in ${directory} can have no ` +
        "limits, as when it has other processes than this one",
      error,
    );
  }
}

/** Lets groups inside of one have limits of their own. */
export function enable(directory: string, controllers: readonly GroupController[]): void {
  const text = controllers.map((controller) => `+${controller}`).join(" ");
  Deno.writeTextFileSync(`${directory}/cgroup.subtree_control`, text);
}

/** The first version moves a thread by itself, the second all of a program. */
export function moveHere(version: 1 | 2, directory: string): void {
  Deno.writeTextFileSync(`${directory}/${version === 1 ? "tasks" : "cgroup.procs"}`, "0");
}

/**
 * The directory of a group. In a container the path may be the one outside, which is not there, while
 * the container's own group is at the root.
 */
function ownDirectory(root: string, path: string, file: string): string | undefined {
  const directories = path === "/" ? [root] : [root + path, root];
  return directories.find((directory) => isThere(`${directory}/${file}`));
}

/** Whether there is a file. */
export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function words(file: string): string[] {
  return readText(file).split(/\s+/);
}

/** An error of the system as one of control groups. */
export function groupError(message: string, cause: unknown): ControlGroupError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ControlGroupError(`${message}: ${reason}`, { cause });
}

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
      return UNIFIED_ROOTS.flatMap(directories).map((directory) => ({ version: 2, directory }));
    }
    if (!controllers.split(",").includes(controller)) return [];
    return directories(`${FIRST_ROOT}/${controller}`).map((directory) => ({
      version: 1,
      directory,
    }));
  });
}

/** The groups that this program is in: id, controllers and path of each (cgroups(7)). */
function memberships(): (readonly [id: string, controllers: string, path: string])[] {
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
