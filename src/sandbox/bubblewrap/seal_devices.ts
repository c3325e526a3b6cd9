import { isWithin } from "../../os/native_path.ts";
import type { NamespaceEntry } from "../linux/host.ts";
import { OWN_DEVICES, OWN_PROCESSES } from "../kernel_files.ts";
import type { MountEntry } from "../../os/mount_table.ts";
import { enterMounts, insideMounts, NamespaceError, remountReadOnly } from "../../os/namespaces.ts";
import { runMountHelper } from "./mount_helper.ts";
import type { ExpectedMounts } from "./verify_mounts.ts";

/**
 * Makes the devices of a sandbox read-only as files: they can be used as before, but their modes,
 * owners and times stay as they are.
 *
 * They are the host's own, and whoever owns one may change it for everybody, without any capability.
 * bubblewrap has no option for this: what it mounts read-only it also mounts without devices.
 *
 * A fresh /proc that is writable is made read-only at the same time. bubblewrap could do that, but takes
 * longer, since it reads the whole mount table for each mount.
 *
 * @param pid the sandbox's first process
 * @returns what has been mounted writable and is not any more
 * @throws {NamespaceError}
 */
export async function sealDevices(
  pid: number,
  mounts: readonly MountEntry[],
  { granted, own }: ExpectedMounts,
  entry: NamespaceEntry,
): Promise<readonly MountEntry[]> {
  const named = granted.filter((path) => path !== "/");
  const open = mounts.filter(({ place, writable }) =>
    writable && (isWithin(place, OWN_DEVICES) || place === OWN_PROCESSES) && !own.includes(place) &&
    !named.some((path) => isWithin(place, path))
  );
  if (open.length === 0) return open;
  switch (entry.kind) {
    case "privileged":
      insideMounts(pid, () => open.forEach(remountReadOnly));
      break;
    case "program":
      await runMountHelper(pid, entry.nsenter, [
        ...["sandbox-devices", `${pid}`],
        ...open.flatMap(({ place, options }) => [place, options]),
      ]);
      break;
    case "none":
      throw new NamespaceError("the sandbox's devices cannot be made read-only without nsenter(1)");
  }
  return open;
}

/**
 * `remex sandbox-devices PID (PLACE OPTIONS)…`: makes mounts of a process read-only.
 *
 * @throws {NamespaceError}
 */
export function sealMounts([pid, ...mounts]: readonly string[]): void {
  enterMounts(Number(pid));
  for (let index = 0; index + 1 < mounts.length; index += 2) {
    const [place = "", options = ""] = mounts.slice(index, index + 2);
    remountReadOnly({ place, options });
  }
}
