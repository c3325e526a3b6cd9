import { userInfo } from "node:os";
import { basename } from "@std/path";
import { type Environment, workingDirectory } from "../os/environment.ts";
import type { EnvironmentInfo } from "../protocol/lifecycle.ts";
import { PathUri, PathUriError } from "../protocol/path_uri.ts";
import { PROCESS_SIGNALS } from "../protocol/process.ts";
import { MAX_MESSAGE_BYTES } from "../transport/transport.ts";
import { VERSION } from "../version.ts";

/** The executor's features beyond the base protocol. */
const CAPABILITIES = {
  processResize: true,
  processCloseStdin: true,
  processTimeout: true,
  sessionEnd: true,
  sessionTakeOver: true,
  otherSessions: true,
  processSignals: PROCESS_SIGNALS,
  fileWriteStreaming: true,
  sandboxedFileStreaming: Deno.build.os === "linux",
  fileAttributes: true,
  httpHeaderEnvVars: true,
  shellSnapshotV2: Deno.build.os !== "windows",
  // Where all of / may be written, commands have devices of their own, and exceptions hold.
  linuxRootWritePreservesDevices: Deno.build.os === "linux",
  linuxApprovedRootWritePreservesRestrictions: Deno.build.os === "linux",
  // Where nothing sandboxes a command together with its proxy, clients run one themselves or refuse.
  ...Deno.build.os === "windows"
    ? {}
    : { networkProxyLaunch: true, networkProxyReviewDomains: true },
};

/** Clients compare it and nothing else. */
const PROVIDER_ID = `remex-${VERSION}-${Deno.build.target}`;

/**
 * Describes the machine, and the user that commands run as.
 *
 * @param retainedBytes bytes of output that are retained of each process
 * @param environment this program's
 * @param messageBytes the largest message that is read, in bytes
 * @param filesRestricted whether file requests need a sandbox
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
    providerId: PROVIDER_ID,
    userHomeDir: uri(environment.HOME ?? user?.homedir ?? ""),
    platformOs: platformOs(),
    tempDir: uri(temporaryDirectory(environment)),
    temporaryDirectories: [],
    prependPathDirs: [],
    capabilities: {
      ...CAPABILITIES,
      // The runtime refuses frames of the full 64 MiB.
      maxMessageBytes: Math.min(messageBytes, MAX_MESSAGE_BYTES - 1),
      // These methods take no sandbox.
      fsWatchMissing: !filesRestricted,
      environmentConfigRead: !filesRestricted,
      retainedBytes,
    },
  };
}

/** This user's entry in the user database; in a container the user may have none. */
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
