import type { LandlockRule } from "./rules.ts";
import type { LandlockGoverned } from "./launcher_plan.ts";

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
  /** Moving and linking between directories. */
  Refer: 1 << 13,
  Truncate: 1 << 14,
  DeviceControl: 1 << 15,
} as const;

/** The only rights that a rule for something else than a directory may have. */
export const RIGHTS_OF_A_FILE = FileRight.Execute | FileRight.WriteFile | FileRight.ReadFile |
  FileRight.Truncate | FileRight.DeviceControl;

const READ = FileRight.Execute | FileRight.ReadFile | FileRight.ReadDirectory;
/** What can be done with a terminal. */
export const TERMINAL_RIGHTS = FileRight.ReadFile | FileRight.WriteFile | FileRight.DeviceControl;

const EVERYTHING = (FileRight.DeviceControl << 1) - 1;
const NEW_DEVICES = FileRight.MakeCharacterDevice | FileRight.MakeBlockDevice;

/** LANDLOCK_ACCESS_NET_BIND_TCP and LANDLOCK_ACCESS_NET_CONNECT_TCP. */
const TCP = 0b11;
const ABSTRACT_UNIX_SOCKETS = 0b01;
const SIGNALS = 0b10;

/**
 * What Landlock is to govern: all rights to files, signals to processes outside and, without
 * network, TCP and abstract unix sockets.
 */
export function governed(hostNetwork: boolean): LandlockGoverned {
  return {
    files: EVERYTHING,
    network: hostNetwork ? 0 : TCP,
    scopes: hostNetwork ? SIGNALS : SIGNALS | ABSTRACT_UNIX_SOCKETS,
  };
}

/** The bits of a rule by which a directory, and those below it, can be looked at. */
export const RIGHT_TO_LIST: number = FileRight.ReadDirectory;

/** The bits of a rule, for a directory; new devices may not be made anywhere. */
export function rightsOf(access: LandlockRule["access"]): number {
  switch (access) {
    case "read":
      return READ;
    case "use":
      return READ | RIGHTS_OF_A_FILE;
    case "write":
      return EVERYTHING & ~NEW_DEVICES;
  }
}
