import { userInfo } from "node:os";
import { basename } from "node:path";
import type { EnvironmentInfo } from "../protocol/lifecycle.ts";
import { PathUri, PathUriError } from "../protocol/path_uri.ts";
import { MAX_MESSAGE_BYTES } from "../transport/transport.ts";
import { VERSION } from "../version.ts";

/** What this executor can do beyond the base protocol. */
const CAPABILITIES = {
  processResize: true,
  processCloseStdin: true,
  fsWatchMissing: true,
  environmentConfigRead: true,
  // Where nothing encloses a command together with its proxy, clients run one themselves or refuse.
  ...Deno.build.os === "linux" ? { networkProxyLaunch: true, networkProxyReviewDomains: true } : {},
  maxMessageBytes: MAX_MESSAGE_BYTES - 1,
};

/**
 * Tells of the machine and the user that commands run as.
 *
 * @param retainedBytes output that is kept of each process
 */
export function describeEnvironment(retainedBytes: number): EnvironmentInfo {
  const user = databaseEntry();
  return {
    shell: loginShell(user?.shell),
    cwd: uri(Deno.cwd()),
    executorVersion: VERSION,
    userHomeDir: uri(Deno.env.get("HOME") ?? user?.homedir ?? ""),
    platformOs: platformOs(),
    tempDir: uri(temporaryDirectory()),
    temporaryDirectories: [],
    prependPathDirs: [],
    capabilities: { ...CAPABILITIES, retainedBytes },
  };
}

/** What the user database says; containers run programs as users that it does not know. */
function databaseEntry(): { readonly shell: string | null; readonly homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    return undefined;
  }
}

/** The shell that the user database names; `sh` where it names none. */
function loginShell(path: string | null | undefined): EnvironmentInfo["shell"] {
  if (Deno.build.os === "windows") return { name: "powershell", path: "powershell.exe" };
  const shell = path ? path : "/bin/sh";
  return { name: basename(shell), path: shell };
}

function platformOs(): string {
  return Deno.build.os === "darwin" ? "macos" : Deno.build.os;
}

function temporaryDirectory(): string {
  return Deno.build.os === "windows"
    ? Deno.env.get("TEMP") ?? "C:\\Windows\\Temp"
    : Deno.env.get("TMPDIR") ?? "/tmp";
}

/** Variables may hold anything; what is no absolute path is not told. */
function uri(path: string): string | undefined {
  try {
    return PathUri.fromNativePath(path).toString();
  } catch (error) {
    if (error instanceof PathUriError) return undefined;
    throw error;
  }
}
