/**
 * What a program needs to start on Linux: the system's programs, libraries and configuration
 * (hier(7)), where NixOS and Guix keep theirs, and the file that names the resolvers, which is often
 * a link to somewhere else.
 *
 * Devices and processes are left out: a sandbox brings its own.
 */
export const MINIMAL_PATHS: readonly string[] = [
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

/** Where every user may leave files. */
export const SHARED_TEMPORARY_DIRECTORY = "/tmp";
