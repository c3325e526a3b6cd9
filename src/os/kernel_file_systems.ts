import { PROC_SUPER_MAGIC } from "./constants.ts";

/** A type of file system that shows the kernel instead of holding data. */
export interface KernelFileSystem {
  /** As proc_filesystems(5) and proc_pid_mountinfo(5) call it. */
  readonly type: string;
  /**
   * Its magic number (statfs(2), linux/magic.h and the sources of each). Undefined where it has that
   * of a type that holds data.
   */
  readonly magic: bigint | undefined;
}

/**
 * File systems that hold no data of anyone but show the kernel, its devices and its processes. What
 * is written there changes the whole machine, and the kernel leaves most of it to the user 0,
 * whatever capabilities it has.
 */
export const KERNEL_FILE_SYSTEMS: readonly KernelFileSystem[] = [
  { type: "proc", magic: PROC_SUPER_MAGIC },
  { type: "sysfs", magic: 0x6265_6572n },
  { type: "devtmpfs", magic: undefined },
  { type: "devpts", magic: 0x0000_1cd1n },
  { type: "cgroup", magic: 0x0027_e0ebn },
  { type: "cgroup2", magic: 0x6367_7270n },
  { type: "cpuset", magic: 0x0027_e0ebn },
  { type: "debugfs", magic: 0x6462_6720n },
  { type: "tracefs", magic: 0x7472_6163n },
  { type: "securityfs", magic: 0x7363_6673n },
  { type: "apparmorfs", magic: 0x5a3c_69f0n },
  { type: "selinuxfs", magic: 0xf97c_ff8cn },
  { type: "smackfs", magic: 0x4341_5d53n },
  { type: "configfs", magic: 0x6265_6570n },
  { type: "bpf", magic: 0xcafe_4a11n },
  { type: "efivarfs", magic: 0xde5e_81e4n },
  { type: "pstore", magic: 0x6165_676cn },
  { type: "binfmt_misc", magic: 0x4249_4e4dn },
  { type: "binder", magic: 0x6c6f_6f70n },
  { type: "fusectl", magic: 0x6573_5543n },
  { type: "functionfs", magic: 0x0a64_7361n },
  { type: "gadgetfs", magic: 0xaee7_1ee7n },
  { type: "nfsd", magic: 0x6e66_7364n },
  { type: "rpc_pipefs", magic: 0x6759_6969n },
  { type: "resctrl", magic: 0x0765_5821n },
  { type: "openpromfs", magic: 0x0000_9fa1n },
  { type: "ocfs2_dlmfs", magic: 0x76a9_f425n },
  { type: "xenfs", magic: 0xabba_1974n },
];
