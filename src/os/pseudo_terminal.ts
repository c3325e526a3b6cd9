import { cString } from "./os_string.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import type { TerminalSize } from "../protocol/process.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import { O_CLOEXEC, O_NOCTTY, O_RDWR } from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  open: { parameters: ["buffer", "i32"], result: "i32" },
  posix_openpt: { parameters: ["i32"], result: "i32" },
  grantpt: { parameters: ["i32"], result: "i32" },
  unlockpt: { parameters: ["i32"], result: "i32" },
  ptsname_r: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
});

const TIOCSWINSZ = 0x5414n;
const NAME_BYTES = 64;

/** The executor's end of a pseudo-terminal, and the file that the command opens (pty(7)). */
export interface PseudoTerminal {
  readonly master: Descriptor;
  readonly terminalPath: string;
}

/** Opens a pseudo-terminal of the given size. @throws {Error} when the system has none left */
export function openPseudoTerminal(size: TerminalSize): PseudoTerminal {
  const master = libc().posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) throw new Error(`cannot open a pseudo-terminal: ${describeErrno(lastErrno())}`);
  const name = new Uint8Array(NAME_BYTES);
  if (
    libc().grantpt(master) !== 0 || libc().unlockpt(master) !== 0 ||
    libc().ptsname_r(master, name, BigInt(NAME_BYTES)) !== 0
  ) {
    closeDescriptor(master);
    throw new Error("cannot prepare a pseudo-terminal: is /dev/pts mounted?");
  }
  resizePseudoTerminal(master, size);
  return { master, terminalPath: new TextDecoder().decode(name.subarray(0, name.indexOf(0))) };
}

/** Opens the command's end, as nobody's controlling terminal. @throws {Error} when that fails */
export function openTerminal({ terminalPath }: PseudoTerminal): Descriptor {
  const terminal = libc().open(cString(terminalPath), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) return terminal;
  throw new Error(`cannot open ${terminalPath}: ${describeErrno(lastErrno())}`);
}

/** Sets the size; the kernel tells the foreground process group with SIGWINCH. */
export function resizePseudoTerminal(master: Descriptor, size: TerminalSize): void {
  libc().ioctl(
    master,
    TIOCSWINSZ,
    new Uint8Array(Uint16Array.of(size.rows, size.cols, 0, 0).buffer),
  );
}
