import { userInfo } from "node:os";
import { basename } from "node:path";
import type { EnvironmentInfo } from "../protocol/lifecycle.ts";
import { PathUri } from "../protocol/path_uri.ts";
import { VERSION } from "../version.ts";

/** What this executor can do beyond the base protocol. */
const CAPABILITIES = { processResize: true };

/** Tells of the machine and the user that commands run as. */
export function describeEnvironment(): EnvironmentInfo {
  const user = userInfo();
  return {
    shell: loginShell(user.shell ?? undefined),
    cwd: uri(Deno.cwd()),
    executorVersion: VERSION,
    userHomeDir: uri(Deno.env.get("HOME") ?? user.homedir),
    platformOs: platformOs(),
    tempDir: uri(temporaryDirectory()),
    temporaryDirectories: [],
    prependPathDirs: [],
    capabilities: CAPABILITIES,
  };
}

/** The shell that the user database names; `sh` where it names none. */
function loginShell(path: string | undefined): EnvironmentInfo["shell"] {
  if (Deno.build.os === "windows") return { name: "powershell", path: "powershell.exe" };
  const shell = path === undefined || path === "" ? "/bin/sh" : path;
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

function uri(path: string): string | undefined {
  return path === "" ? undefined : PathUri.fromNativePath(path).toString();
}
