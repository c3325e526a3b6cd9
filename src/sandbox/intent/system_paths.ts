/**
 * What a program needs to start on Linux: the system's programs, libraries and configuration
 * (hier(7)), where NixOS and Guix keep theirs, and the file that names the resolvers, which is often
 * a link to somewhere else.
 *
 * Devices and processes are left out: a sandbox brings its own.
 */
const LINUX_PATHS: readonly string[] = [
  "/bin",
  "/sbin",
  "/usr",
  "/etc",
  "/etc/resolv.conf",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/nix/store",
  "/gnu/store",
  "/run/current-system/profile",
  "/run/current-system/sw",
];

/**
 * The same on macOS, where links lead from /etc and from the shell to below /private, and where
 * developers' tools and package managers have places of their own.
 */
const MACOS_PATHS: readonly string[] = [
  "/System",
  "/bin",
  "/sbin",
  "/usr",
  "/private/etc",
  "/private/var/db/dyld",
  "/private/var/db/timezone",
  "/private/var/select",
  "/Library/Apple",
  "/Library/Developer",
  "/Library/Frameworks",
  "/Library/Preferences/Logging",
  "/Applications/Xcode.app/Contents/Developer",
  "/opt/homebrew",
  "/opt/local",
  "/nix/store",
];

/** What a program needs to start on a system. */
export function minimalPaths(os: typeof Deno.build.os): readonly string[] {
  return os === "darwin" ? MACOS_PATHS : LINUX_PATHS;
}

/** Where every user may leave files. */
export const SHARED_TEMPORARY_DIRECTORY = "/tmp";
