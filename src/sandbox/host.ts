import type { HostAbilities } from "./plan.ts";

const SEATBELT = "/usr/bin/sandbox-exec";

/**
 * Finds out what this machine offers for enclosing commands.
 *
 * @param outside directories from which no program is run, for a client's commands may write there
 */
export async function hostAbilities(outside: readonly string[]): Promise<HostAbilities> {
  switch (Deno.build.os) {
    case "linux": {
      const { probeLinux } = await import("./linux/probe_host.ts");
      return { os: "linux", ...await probeLinux(outside) };
    }
    case "darwin":
      return { os: "darwin", seatbelt: await isFile(SEATBELT) };
    default:
      return { os: "other", name: Deno.build.os };
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
