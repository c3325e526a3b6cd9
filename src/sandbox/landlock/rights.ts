import type { LandlockGoverned, PathRule } from "../../os/thread_restrictions.ts";
import type { LandlockRule } from "./rules.ts";

/** `LANDLOCK_ACCESS_FS_*` of linux/landlock.h, as of version 6 of the interface. */
export const FileRight = {
  Execute: 1 << 0,
  WriteFile: 1 << 1,
  ReadFile: 1 << 2,
  ReadDirectory: 1 << 3,
  RemoveDirectory: 1 << 4,
  RemoveFile: 1 << 5,
  MakeCharacterDevice: 1 << 6,
  MakeDirectory: 1 << 7,
  MakeFile: 1 << 8,
  MakeSocket: 1 << 9,
  MakePipe: 1 << 10,
  MakeBlockDevice: 1 << 11,
  MakeLink: 1 << 12,
  /** Moving and linking between directories. Since version 2. */
  Refer: 1 << 13,
  /** Since version 3. */
  Truncate: 1 << 14,
  /** Since version 5. */
  DeviceControl: 1 << 15,
} as const;

/** The only rights that a rule for something else than a directory may have. */
const RIGHTS_OF_A_FILE = FileRight.Execute | FileRight.WriteFile | FileRight.ReadFile |
  FileRight.Truncate | FileRight.DeviceControl;

const READ = FileRight.Execute | FileRight.ReadFile | FileRight.ReadDirectory;
const EVERYTHING = (FileRight.DeviceControl << 1) - 1;
const NEW_DEVICES = FileRight.MakeCharacterDevice | FileRight.MakeBlockDevice;

/** LANDLOCK_ACCESS_NET_BIND_TCP and LANDLOCK_ACCESS_NET_CONNECT_TCP. */
const TCP = 0b11;
const ABSTRACT_UNIX_SOCKETS = 0b01;
const SIGNALS = 0b10;

/**
 * The versions of the interface that first knew something (landlock(7)).
 *
 * - `moving`: names can be moved between directories (Linux 5.19). Before, no program could. The kernels
 *   with it have what the supervisor needs.
 * - `truncate`: truncation is governed (Linux 6.2).
 * - `network`: TCP ports are (Linux 6.7).
 * - `deviceControl`: ioctl(2) on devices is (Linux 6.10).
 * - `scopes`: signals and abstract unix sockets stay inside (Linux 6.12).
 */
export const SINCE = { moving: 2, truncate: 3, network: 4, deviceControl: 5, scopes: 6 } as const;

/**
 * What Landlock is to govern: all rights to files, signals to processes outside and, without
 * network, TCP and abstract unix sockets. Of these what a version of the interface knows.
 */
export function governed(hostNetwork: boolean, version: number): LandlockGoverned {
  const scopes = hostNetwork ? SIGNALS : SIGNALS | ABSTRACT_UNIX_SOCKETS;
  return {
    files: knownRights(version),
    network: hostNetwork || version < SINCE.network ? 0 : TCP,
    scopes: version < SINCE.scopes ? 0 : scopes,
  };
}

/** What is governed by rules for executing alone. */
export const EXECUTION: LandlockGoverned = { files: FileRight.Execute, network: 0, scopes: 0 };

const rightsOf: Record<LandlockRule["access"], number> = {
  list: FileRight.ReadDirectory,
  execute: FileRight.Execute,
  read: READ,
  use: READ | RIGHTS_OF_A_FILE,
  // New devices may not be made anywhere.
  write: EVERYTHING & ~NEW_DEVICES,
};

/**
 * A rule in the kernel's terms.
 *
 * @param withheld rights that it does not give
 */
export function pathRule(
  { path, access }: LandlockRule,
  version: number,
  withheld = 0,
): PathRule {
  const rights = rightsOf[access] & knownRights(version) & ~withheld;
  return { path, rights, fileRights: rights & RIGHTS_OF_A_FILE };
}

function knownRights(version: number): number {
  const unknown = (version < SINCE.truncate ? FileRight.Truncate : 0) |
    (version < SINCE.deviceControl ? FileRight.DeviceControl : 0);
  return EVERYTHING & ~unknown;
}
