import type { HostAbilities } from "./plan.ts";

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
    case "darwin": {
      const { probeSeatbelt } = await import("./seatbelt/probe_seatbelt.ts");
      return { os: "darwin", seatbelt: await probeSeatbelt() };
    }
    default:
      return { os: "other", name: Deno.build.os };
  }
}
