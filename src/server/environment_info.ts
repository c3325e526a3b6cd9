import { userInfo } from "node:os";
import { basename } from "@std/path";
import type { Environment } from "../os/environment.ts";
import { workingDirectory } from "../os/working_directory.ts";
import type { EnvironmentInfo } from "../protocol/lifecycle.ts";
import { PathUri, PathUriError } from "../protocol/path_uri.ts";
import { PROCESS_SIGNALS } from "../protocol/process.ts";
import { MAX_MESSAGE_BYTES } from "../transport/transport.ts";
import { VERSION } from "../version.ts";

/** What this executor can do beyond the base protocol. */
const CAPABILITIES = {
  processResize: true,
  processCloseStdin: true,
  processTimeout: true,
  sessionEnd: true,
  processSignals: PROCESS_SIGNALS,
  // Where nothing encloses a command together with its proxy, clients run one themselves or refuse.
  ...Deno.build.os === "linux" ? { networkProxyLaunch: true, networkProxyReviewDomains: true } : {},
};

/**
 * Tells of the machine and the user that commands run as.
 *
 * @param retainedBytes output that is kept of each process
 * @param environment that of this program
 * @param messageBytes the largest message that is read
 * @param filesRestricted whether files are touched only in sandboxes
 */
export function describeEnvironment(
  retainedBytes: number,
  environment: Environment,
  messageBytes: number = MAX_MESSAGE_BYTES,
  filesRestricted = false,
): EnvironmentInfo {
  const user = databaseEntry();
  return {
    shell: loginShell(user?.shell),
    cwd: uri(workingDirectory()),
    executorVersion: VERSION,
    userHomeDir: uri(environment.HOME ?? user?.homedir ?? ""),
    platformOs: platformOs(),
    tempDir: uri(temporaryDirectory(environment)),
    temporaryDirectories: [],
    prependPathDirs: [],
    capabilities: {
      ...CAPABILITIES,
      // The runtime refuses frames of the full 64 MiB.
      maxMessageBytes: Math.min(messageBytes, MAX_MESSAGE_BYTES - 1),
      // These take no sandbox.
      fsWatchMissing: !filesRestricted,
      environmentConfigRead: !filesRestricted,
      retainedBytes,
    },
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

function temporaryDirectory({ TEMP, TMPDIR }: Environment): string {
  return Deno.build.os === "windows" ? TEMP ?? "C:\\Windows\\Temp" : TMPDIR ?? "/tmp";
}

/** Variables may hold anything; what is no absolute path is not told. */
function uri(path: string | Uint8Array | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return PathUri.fromNativePath(path).toString();
  } catch (error) {
    if (error instanceof PathUriError) return undefined;
    throw error;
  }
}
