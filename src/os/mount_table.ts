import { closeDescriptor, type Descriptor, readDescriptor } from "./descriptor.ts";
import { KERNEL_FILE_SYSTEMS } from "./kernel_file_systems.ts";
import { libraryTable } from "./libc.ts";
import { isWithin } from "./native_path.ts";
import { decodeOsString } from "./os_string.ts";
import { openForReading } from "./pipes.ts";

const libc = libraryTable({ poll: { parameters: ["buffer", "u64", "i32"], result: "i32" } });

/** Told of a mount table in which something has been mounted or unmounted since the last question. */
const POLLPRI = 2;

/** One line of a process's mount table. */
export interface MountEntry {
  readonly id: string;
  /** The mount that it is mounted on. */
  readonly parent: string;
  /** Where it is mounted, as the process sees it. */
  readonly place: string;
  readonly writable: boolean;
  /** What mount(8) calls its options, those of the mount alone, parted by commas. */
  readonly options: string;
  /** The type of its file system. */
  readonly type: string;
  /** Whether what is mounted somewhere else appears below it, too (mount_namespaces(7)). */
  readonly follows: boolean;
}

/**
 * What is mounted for a process and not hidden by something mounted over it or over a directory
 * above it (proc_pid_mountinfo(5)).
 *
 * @throws the system's error if the process is gone
 */
export function mountTable(pid: number | "self"): MountEntry[] {
  return visibleMounts(readMounts(decodeOsString(readTable(pid))));
}

/** Most tables fit, which then is read without growing by and by. */
let tableBytes = new Uint8Array(new ArrayBuffer(32 * 1024));

/** The bytes stay as they are until the next table is read. */
function readTable(pid: number | "self"): Uint8Array {
  const table = openForReading(`/proc/${pid}/mountinfo`);
  try {
    for (let length = 0;;) {
      const count = readDescriptor(table, tableBytes.subarray(length));
      if (count < 0) throw new Error("the mount table cannot be read");
      if (count === 0) return tableBytes.subarray(0, length);
      length += count;
      if (length < tableBytes.length) continue;
      const longer = new Uint8Array(new ArrayBuffer(length * 2));
      longer.set(tableBytes);
      tableBytes = longer;
    }
  } finally {
    closeDescriptor(table);
  }
}

/**
 * Those of a process's mounts that a path leads to, and not to what is mounted over them. What is mounted
 * over the root itself is not among them: paths begin below it.
 */
export function visibleMounts(mounts: readonly MountEntry[]): MountEntry[] {
  const mountedOn = new MountsByPlace(mounts);
  const known = new Set(mounts.map(({ id }) => id));
  const outermost = mounts.filter(({ parent }) => !known.has(parent));
  // A root that is no mount's own is a directory of one that is not listed (chroot(2)).
  const root = outermost.find(({ place }) => place === "/")?.id ?? outermost.at(0)?.parent ?? "";
  return mounts.filter(({ id, place }) => mountedOn.mountAt(place, root) === id);
}

/** Reads what proc_pid_mountinfo(5) describes. */
export function readMounts(text: string): MountEntry[] {
  return text.split("\n").filter((line) => line !== "").map((line) => new MountLine(line));
}

/** Mounts by what they are mounted on. */
class MountsByPlace {
  readonly #children = new Map<string, Map<string, string>>();

  constructor(mounts: readonly MountEntry[]) {
    for (const { id, parent, place } of mounts) {
      const children = this.#children.get(parent);
      if (children === undefined) this.#children.set(parent, new Map([[place, id]]));
      else children.set(place, id);
    }
  }

  /** The mount that a path leads to, one after the other, as the kernel goes. */
  mountAt(path: string, root: string): string {
    if (path === "/") return root;
    let at = root;
    for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
      if (this.#children.has(at)) at = this.#covering(path.slice(0, end), at);
    }
    return this.#covering(path, at);
  }

  /** What is mounted last at a place of a mount. */
  #covering(place: string, mount: string): string {
    for (let at = mount;;) {
      const next = this.#children.get(at)?.get(place);
      if (next === undefined) return at;
      at = next;
    }
  }
}

/** Before the type, behind fields of no fixed number. No other field is that: a blank is written as \040. */
const SEPARATOR = " - ";
const PROPAGATION = / (shared|master):/;

/** Of most lines little is asked, and the rest is not looked for. */
class MountLine implements MountEntry {
  readonly #line: string;
  readonly #afterPlace: number;
  readonly id: string;
  readonly parent: string;
  readonly place: string;

  constructor(line: string) {
    const afterId = line.indexOf(" ");
    const afterParent = line.indexOf(" ", afterId + 1);
    const afterDevice = line.indexOf(" ", afterParent + 1);
    const afterRoot = line.indexOf(" ", afterDevice + 1);
    const afterPlace = line.indexOf(" ", afterRoot + 1);
    const place = line.slice(afterRoot + 1, afterPlace);
    this.#line = line;
    this.#afterPlace = afterPlace + 1;
    this.id = line.slice(0, afterId);
    this.parent = line.slice(afterId + 1, afterParent);
    this.place = place.includes("\\") ? place.replace(/\\([0-7]{3})/g, octalCharacter) : place;
  }

  get writable(): boolean {
    return this.options === "rw" || this.options.startsWith("rw,");
  }

  get options(): string {
    return this.#line.slice(this.#afterPlace, this.#line.indexOf(" ", this.#afterPlace));
  }

  get type(): string {
    const start = this.#line.indexOf(SEPARATOR, this.#afterPlace) + SEPARATOR.length;
    return this.#line.slice(start, this.#line.indexOf(" ", start));
  }

  get follows(): boolean {
    return PROPAGATION.test(
      this.#line.slice(this.#afterPlace, this.#line.indexOf(SEPARATOR, this.#afterPlace)),
    );
  }
}

/** Blanks and backslashes are written so. */
function octalCharacter(_: string, digits: string): string {
  return String.fromCharCode(parseInt(digits, 8));
}

const KERNEL_TYPES: ReadonlySet<string> = new Set(KERNEL_FILE_SYSTEMS.map(({ type }) => type));

/** Whether a file system of this type shows the kernel instead of holding data. */
export function isKernelType(type: string): boolean {
  return KERNEL_TYPES.has(type);
}

/**
 * What {@linkcode kernelTrees} finds. The table is read anew when something has been
 * mounted or unmounted since, of which it tells itself (proc_pid_mounts(5)).
 */
export class KernelTrees implements Disposable {
  #table: Descriptor | undefined;
  #trees: readonly string[] = [];

  /** As they are now. */
  get(): readonly string[] {
    if (this.#table === undefined) this.#table = openForReading(TABLE);
    else if (!hasChanged(this.#table)) return this.#trees;
    return this.#trees = kernelTrees();
  }

  [Symbol.dispose](): void {
    if (this.#table !== undefined) closeDescriptor(this.#table);
    this.#table = undefined;
  }
}

const TABLE = "/proc/self/mountinfo";

/** Also when it cannot be told. */
function hasChanged(table: Descriptor): boolean {
  // struct pollfd.
  const question = new DataView(new ArrayBuffer(8));
  question.setInt32(0, table, true);
  question.setInt16(4, POLLPRI, true);
  const answer = libc().poll(new Uint8Array(question.buffer), 1n, 0);
  return answer !== 0;
}

/** Where this program sees file systems of the kernel, none of the paths below another. */
export function kernelTrees(): string[] {
  const places = mountTable("self").filter(({ type }) => isKernelType(type))
    .map(({ place }) => place);
  return places.filter((path) => !places.some((other) => other !== path && isWithin(path, other)));
}
