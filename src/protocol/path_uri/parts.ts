/** A path that a URI spells out, segment by segment. */
export interface OrdinaryPath {
  readonly kind: "ordinary";
  /** The canonical URI. */
  readonly text: string;
  /** The UNC server, or empty. */
  readonly host: string;
  /** The percent-encoded path, from its first `/`. */
  readonly path: string;
  readonly convention: PathConvention;
}

/** A path that no ordinary URI can hold, packed whole into one (see `opaque.ts`). */
export interface OpaquePath {
  readonly kind: "opaque";
  /** The canonical URI. */
  readonly text: string;
  readonly convention: PathConvention;
}

/** What a path URI consists of. */
export type PathParts = OrdinaryPath | OpaquePath;

/** The encoded segments of an ordinary path; empty ones stand for nothing and are left out. */
export function segmentsOf(path: OrdinaryPath): string[] {
  return path.path.split("/").filter((segment) => segment !== "");
}

/** How many leading segments belong to the root: the drive or the UNC share. */
export function rootDepth(convention: PathConvention): number {
  return convention === "windows" ? 1 : 0;
}

/** Whether an encoded segment reads as a Windows drive, `C:`. */
export function isDrive(segment: string): boolean {
  return /^[a-z]:$/i.test(segment);
}

/**
 * Drops empty and `.` segments and lets `..` take back the segment before it, except for the first
 * `depth` ones, which are the root.
 */
export function resolveSegments(segments: Iterable<string>, depth: number): string[] {
  const resolved: string[] = [];
  for (const segment of segments) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") resolved.push(segment);
    else if (resolved.length > depth) resolved.pop();
  }
  return resolved;
}

/** A POSIX path from encoded segments. */
export function posixParts(segments: readonly string[]): OrdinaryPath {
  return ordinary("", protectDriveShape(segments), "posix");
}

/** A path on a drive from encoded segments, the drive first. */
export function driveParts(segments: readonly string[]): OrdinaryPath {
  return ordinary("", segments, "windows");
}

/** A UNC path from its server and encoded segments, the share first. */
export function uncParts(host: string, segments: readonly string[]): OrdinaryPath {
  return ordinary(host, protectDriveShape(segments), "windows");
}

/** A path like `like`, on its server or its drive, but with other encoded segments. */
export function withSegments(like: OrdinaryPath, segments: readonly string[]): OrdinaryPath {
  if (like.convention === "posix") return posixParts(segments);
  return like.host === "" ? driveParts(segments) : uncParts(like.host, segments);
}

function ordinary(
  host: string,
  segments: readonly string[],
  convention: PathConvention,
): OrdinaryPath {
  const path = `/${segments.join("/")}`;
  return { kind: "ordinary", text: `file://${host}${path}`, host, path, convention };
}

/**
 * A directory named `C:` or `C|` at the top of a POSIX path or a UNC server would be read back as
 * a drive; an escape in its place is not.
 */
function protectDriveShape(segments: readonly string[]): readonly string[] {
  const [first, ...rest] = segments;
  if (first === undefined || !/^[a-z][:|]$/i.test(first)) return segments;
  return [`${first.slice(0, 1)}${first.endsWith(":") ? "%3A" : "%7C"}`, ...rest];
}

/** The grammar of a native path; Linux and macOS share one. */
export type PathConvention = "posix" | "windows";

/** The convention's name in messages to people. */
export const CONVENTION_NAMES: Readonly<Record<PathConvention, string>> = {
  posix: "POSIX",
  windows: "Windows",
};

/** The convention of the machine this runs on. */
export function hostConvention(): PathConvention {
  return Deno.build.os === "windows" ? "windows" : "posix";
}
