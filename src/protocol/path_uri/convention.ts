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
