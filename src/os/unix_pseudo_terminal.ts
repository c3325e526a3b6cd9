import * as linux from "./constants.ts";
import { libraryTable } from "./libc.ts";

const MACOS = Deno.build.os === "darwin";
// Options of open(2).
const O_NOCTTY = MACOS ? 0x20000 : linux.O_NOCTTY;
const O_NONBLOCK = MACOS ? 0x4 : linux.O_NONBLOCK;
const O_CLOEXEC = MACOS ? 0x1000000 : linux.O_CLOEXEC;
const { O_RDWR } = linux;

const libc = libraryTable({
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  grantpt: { parameters: ["i32"], result: "i32" },
  unlockpt: { parameters: ["i32"], result: "i32" },
  ptsname: { parameters: ["i32"], result: "pointer" },
});

/** Both ends of a pseudo-terminal. */
export interface PseudoTerminal {
  readonly master: number;
  /** A descriptor of the command's end, which keeps it from hanging up before the command has it. */
  readonly slave: number;
  /** The file that the command opens. */
  readonly path: string;
}

/** Opens a pseudo-terminal (pty(4), pty(7)). @throws {Error} when the system has none left */
export function openPseudoTerminal(): PseudoTerminal {
  const master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (master < 0) throw new Error("the system has no pseudo-terminal left");
  const path = pathOfSlave(master);
  const slave = path === undefined ? -1 : open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (path === undefined || slave < 0) {
    closeDescriptor(master);
    throw new Error("cannot prepare a pseudo-terminal");
  }
  return { master, slave, path };
}

function open(path: string, options: number): number {
  return libc().open(new TextEncoder().encode(`${path}\0`), options);
}

function pathOfSlave(master: number): string | undefined {
  if (libc().grantpt(master) !== 0 || libc().unlockpt(master) !== 0) return undefined;
  const name = libc().ptsname(master);
  return name === null ? undefined : Deno.UnsafePointerView.getCString(name);
}

/** Closes a descriptor that nothing else takes care of. */
export function closeDescriptor(descriptor: number): void {
  libc().close(descriptor);
}

/** Writes what a pseudo-terminal takes at once, and returns how many bytes that were. */
export function writeSome(master: number, bytes: Uint8Array<ArrayBuffer>): number {
  return Math.max(0, Number(libc().write(master, bytes, BigInt(bytes.length))));
}
