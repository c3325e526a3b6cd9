import { isWithin } from "../native_path.ts";
import { OWN_DEVICES } from "./kernel_files.ts";
import type { MountEntry } from "./mount_table.ts";
import { insideMounts, remountReadOnly } from "./namespaces.ts";
import type { ExpectedMounts } from "./verify_mounts.ts";

/**
 * Makes the devices of a sandbox read-only as files: they can be used as before, but their modes,
 * owners and times stay as they are.
 *
 * They are the host's own, and whoever owns one may change it for everybody, without any capability.
 * bubblewrap has no option for this: what it mounts read-only it also mounts without devices.
 *
 * @param pid the sandbox's first process
 * @returns what has been mounted writable and is not any more
 * @throws {NamespaceError}
 */
export function sealDevices(
  pid: number,
  mounts: readonly MountEntry[],
  { granted, own }: ExpectedMounts,
): readonly MountEntry[] {
  const named = granted.filter((path) => path !== "/");
  const open = mounts.filter(({ place, writable }) =>
    writable && isWithin(place, OWN_DEVICES) && !own.includes(place) &&
    !named.some((path) => isWithin(place, path))
  );
  if (open.length > 0) insideMounts(pid, () => open.forEach(remountReadOnly));
  return open;
}
