/** A sandbox has these of its own, whatever is granted of the host's. */
export const OWN_DEVICES = "/dev";
export const OWN_PROCESSES = "/proc";

/** Where programs share memory, among the devices but none of them. */
export const SHARED_MEMORY: readonly string[] = ["/dev/shm", "/dev/mqueue", "/dev/hugepages"];

/** Why a grant to write on a file system of the kernel is refused. */
export function notWritable(path: string, tree: string): string {
  const where = path === tree ? "" : ` in '${tree}'`;
  return `'${path}'${where} cannot be granted for writing: it is the kernel's, and of the whole machine`;
}
