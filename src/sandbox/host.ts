import { memoryLimit } from "../os/memory.ts";
import type { PlaceholderObserver } from "./bubblewrap/placeholders.ts";
import type { LinuxHost } from "./linux/host.ts";
import type { Mechanism } from "./mechanism.ts";
import type { Seatbelt } from "./seatbelt/mechanism.ts";

/** The mechanisms of this machine's system, the best first, and what they share. */
export type HostMechanisms =
  & {
    /** What the system is called. */
    readonly name: string;
    readonly mechanisms: readonly Mechanism[];
    /** What they have made on the disk and among threads, which whoever has them disposes of. */
    readonly resources: readonly Disposable[];
  }
  & (
    | { readonly os: "linux"; readonly host: Pick<LinuxHost, "probe"> }
    | { readonly os: "darwin"; readonly seatbelt: Pick<Seatbelt, "probe"> }
    | { readonly os: "other" }
  );

/**
 * Makes the mechanisms of this machine's system. Each starts and remembers things of its own: see
 * `Sandbox`, which makes them once.
 */
export async function hostMechanisms(observer?: PlaceholderObserver): Promise<HostMechanisms> {
  switch (Deno.build.os) {
    case "linux": {
      const { LinuxHost } = await import("./linux/host.ts");
      const { SeccompFilters } = await import("./seccomp/filter.ts");
      const { Bubblewrap } = await import("./bubblewrap/mechanism.ts");
      const { Landlock } = await import("./landlock/mechanism.ts");
      const { GroupPool, groupLimits } = await import("./restricted_threads/group_pool.ts");
      const host = new LinuxHost();
      const filters = new SeccompFilters();
      const groups = new GroupPool(groupLimits(memoryLimit()));
      const bubblewrap = new Bubblewrap(host, filters, observer);
      const mechanisms = [bubblewrap, new Landlock(host, filters, groups)];
      return {
        os: "linux",
        name: "Linux",
        host,
        mechanisms,
        resources: [groups, bubblewrap, host],
      };
    }
    case "darwin": {
      const { Seatbelt } = await import("./seatbelt/mechanism.ts");
      const seatbelt = new Seatbelt();
      return { os: "darwin", name: "macOS", seatbelt, mechanisms: [seatbelt], resources: [] };
    }
    case "windows":
      return { os: "other", name: "Windows", mechanisms: [], resources: [] };
    default:
      return { os: "other", name: Deno.build.os, mechanisms: [], resources: [] };
  }
}
