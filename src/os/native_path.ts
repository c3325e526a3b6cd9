/** Whether an absolute path is another one or lies below it, as they are spelled. */
export function isWithin(path: string, base: string): boolean {
  return path === base || path.startsWith(base === "/" ? base : `${base}/`);
}

/** The path of a name in a directory, which is absolute. */
export function childOf(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** How many names an absolute path has; 0 for the root. */
export function depthOf(path: string): number {
  if (path === "/") return 0;
  let depth = 0;
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) depth++;
  return depth;
}

/** The directories that have `path` below them, from the root on. */
export function ancestorsOf(path: string): string[] {
  if (path === "/") return [];
  const ancestors = ["/"];
  for (let slash = path.indexOf("/", 1); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    ancestors.push(path.slice(0, slash));
  }
  return ancestors;
}

/** Orders paths so that each comes after those that it lies below. */
export function compareDepth(left: string, right: string): number {
  return depthOf(left) - depthOf(right) || (left < right ? -1 : left > right ? 1 : 0);
}
