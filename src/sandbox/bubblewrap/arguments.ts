import { OWN_PROCESSES } from "../kernel_files.ts";
import { encodeOsString } from "../../os/os_string.ts";
import { NUMBERING } from "../linux/bubblewrap_trial.ts";
import type { FileView, Mount } from "./file_view.ts";
import type { ReadyStage } from "../linux/final_stage.ts";

/** What a wrapper needs besides its standard streams. */
export interface WrapperDescriptor {
  /** The number that the wrapper knows it by. */
  readonly number: number;
  readonly purpose:
    /** Read to its end by the wrapper. */
    | { readonly kind: "data"; readonly bytes: Uint8Array<ArrayBuffer> }
    /** The same, at its end from the beginning. */
    | { readonly kind: "nothing" }
    /** Written by the wrapper: see `parseBubblewrapStatus`. */
    | { readonly kind: "status" }
    /**
     * At its end from the beginning, and closed by the wrapper when it has mounted everything, has given
     * up its capabilities and waits at its gate.
     */
    | { readonly kind: "ready" }
    /** Waited for by the wrapper, which reads these bytes to their end before it starts the command. */
    | { readonly kind: "gate"; readonly bytes: Uint8Array<ArrayBuffer> };
}

/** A bubblewrap to start, with an empty environment. */
export interface BubblewrapCall {
  readonly argv: readonly string[];
  readonly descriptors: readonly WrapperDescriptor[];
}

/** Everything about one call that is not the same for all. */
export interface BubblewrapOptions {
  /** The absolute path of bubblewrap. */
  readonly program: string;
  readonly view: FileView;
  /** Whether the host lets a fresh /proc be mounted; some containers do not. */
  readonly freshProc: boolean;
  /** Whether a fresh /proc is made read-only afterwards, by somebody else (see `sealDevices`). */
  readonly procSealedLater: boolean;
  /**
   * The number before that of the first process but bubblewrap's own. It takes a fresh /proc.
   *
   * @default 1
   */
  readonly lastNumber?: number | undefined;
  /** Whether the command shares the host's network. */
  readonly hostNetwork: boolean;
  readonly seccompProgram: Uint8Array<ArrayBuffer>;
  /** How many descriptors the wrapper can have (RLIMIT_NOFILE). */
  readonly maxDescriptors: number;
  /** The command's directory as it is seen inside. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whether the wrapper starts a session of its own, which signals can be sent to. */
  readonly newSession: boolean;
  readonly stage: ReadyStage;
}

const ARGUMENTS = 3;
/** bubblewrap reads its filter last of all: what it has to wait for there keeps the command back. */
const SECCOMP = 4;
const STATUS = 5;
/** What bubblewrap reads just before, with no capabilities left. */
const READY = 6;
const FIRST_EMPTY_FILE = NUMBERING.descriptor + 1;
/** What the wrapper opens itself while it sets up, with room to spare. */
const OWN_DESCRIPTORS = 16;
/** One without contents has so many arguments more than a device. */
const MORE_ARGUMENTS = 2;

/** bubblewrap takes no more (MAX_ARGS in its source). */
const MAX_ARGUMENTS = 9000;

/** A command or a view that cannot be told to bubblewrap. */
export class UnwrappableError extends Error {
  override readonly name = "UnwrappableError";
}

/**
 * The call of bubblewrap (bwrap(1)) that runs a command in a view.
 *
 * Its options go through a descriptor, since the command line of a process can be read by everyone
 * on the machine and the options hold the command's environment. bubblewrap itself gets none of it:
 * a variable like LD_PRELOAD would have it run what the command may have written.
 *
 * @throws {UnwrappableError}
 */
export function bubblewrapCall(options: BubblewrapOptions): BubblewrapCall {
  const { program, stage, seccompProgram, maxDescriptors } = options;
  const argv = [program, "--args", `${ARGUMENTS}`, "--", ...stage.argv];
  const room = Math.max(0, maxDescriptors - FIRST_EMPTY_FILE - OWN_DESCRIPTORS);
  const emptyFiles = options.view.mounts.filter(({ kind }) => kind === "emptyFile").slice(0, room);
  let argumentList = optionsFor(options, emptyFiles);
  const excess = argumentList.length + argv.length - MAX_ARGUMENTS;
  if (excess > 0 && emptyFiles.length > 0) {
    emptyFiles.splice(Math.max(0, emptyFiles.length - Math.ceil(excess / MORE_ARGUMENTS)));
    argumentList = optionsFor(options, emptyFiles);
  }
  if (argumentList.length + argv.length > MAX_ARGUMENTS) {
    throw new UnwrappableError(
      "the command, its environment and what is to be mounted are more than bubblewrap takes: " +
        `${argumentList.length + argv.length} arguments, ${MAX_ARGUMENTS} at the most`,
    );
  }
  return {
    argv,
    descriptors: [
      { number: ARGUMENTS, purpose: { kind: "data", bytes: nulTerminated(argumentList) } },
      { number: SECCOMP, purpose: { kind: "gate", bytes: seccompProgram } },
      { number: STATUS, purpose: { kind: "status" } },
      { number: READY, purpose: { kind: "ready" } },
      ...lastNumberData(options),
      ...emptyFiles.map((_, index): WrapperDescriptor => ({
        number: FIRST_EMPTY_FILE + index,
        purpose: { kind: "nothing" },
      })),
    ],
  };
}

/** @param emptyFiles those for which there is a descriptor; further ones are a device that cannot be opened */
function optionsFor(options: BubblewrapOptions, emptyFiles: readonly Mount[]): string[] {
  const { stage } = options;
  return [
    ...isolation(options),
    ...environment({ ...options.env, ...stage.env }),
    ...files(options, emptyFiles),
    ...["--chdir", options.cwd],
    ...stage.arg0 === undefined ? [] : ["--argv0", stage.arg0],
    ...["--seccomp", `${SECCOMP}`, "--json-status-fd", `${STATUS}`, "--block-fd", `${READY}`],
  ];
}

/** Root keeps its capabilities and gets no user namespace unless bubblewrap is told so. */
function isolation({ hostNetwork, newSession }: BubblewrapOptions): string[] {
  return [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    ...hostNetwork ? [] : ["--unshare-net"],
    ...["--cap-drop", "ALL"],
    "--die-with-parent",
    ...newSession ? ["--new-session"] : [],
  ];
}

/** A variable is what stands before the first `=`, whatever it was called. */
function environment(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const text = `${name}=${value}`;
    const equals = text.indexOf("=");
    return equals < 1 ? [] : ["--setenv", text.slice(0, equals), text.slice(equals + 1)];
  });
}

function lastNumberData({ lastNumber }: BubblewrapOptions): WrapperDescriptor[] {
  if (lastNumber === undefined) return [];
  const bytes = new TextEncoder().encode(`${lastNumber}`);
  return [{ number: NUMBERING.descriptor, purpose: { kind: "data", bytes } }];
}

function files(
  { view, freshProc, procSealedLater, lastNumber }: BubblewrapOptions,
  emptyFiles: readonly Mount[],
): string[] {
  const indices = new Map(emptyFiles.map((mount, index) => [mount, index]));
  const numbering = lastNumber === undefined ? [] : NUMBERING.options;
  return [
    ...root(view.root),
    ...freshProc ? ["--proc", OWN_PROCESSES] : hostProcesses(view.root),
    // The view may hide it.
    ...numbering,
    ...view.mounts.flatMap((mount) => mountArguments(mount, indices.get(mount))),
    // Mount points below them had to be made first.
    ...view.mounts.filter(({ kind }) => kind === "emptyDirectory")
      .flatMap(({ path }) => ["--remount-ro", path]),
    ...view.root === "empty" ? ["--remount-ro", "/"] : [],
    // bubblewrap protects what a capability is missing for, but not what user 0 simply owns.
    ...freshProc && !procSealedLater ? ["--remount-ro", OWN_PROCESSES] : [],
  ];
}

/** With the others they are read-only, or not there. */
function hostProcesses(root: FileView["root"]): string[] {
  return root === "host" || root === "writable" ? ["--ro-bind", OWN_PROCESSES, OWN_PROCESSES] : [];
}

function root(root: FileView["root"]): string[] {
  switch (root) {
    case "host":
      // The second makes a mount of its own of the devices, even where they are on the root's.
      return ["--dev-bind", "/", "/", "--dev-bind", "/dev", "/dev"];
    case "writable":
      return ["--bind", "/", "/", "--dev", "/dev"];
    case "readOnly":
      return ["--ro-bind", "/", "/", "--dev", "/dev"];
    case "empty":
      return ["--dev", "/dev"];
  }
}

/** @param index which empty file it is, if it has a descriptor */
function mountArguments(mount: Mount, index: number | undefined): string[] {
  switch (mount.kind) {
    case "bind":
      return [mount.writable ? "--bind" : "--ro-bind", mount.path, mount.path];
    case "emptyDirectory":
      return ["--perms", mount.passable ? "0111" : "0000", "--tmpfs", mount.path];
    case "emptyFile":
      if (index !== undefined) {
        const data = `${FIRST_EMPTY_FILE + index}`;
        return ["--perms", "0000", "--ro-bind-data", data, mount.path];
      }
      // Every mount but /dev is without devices, so that opening this one fails (EACCES).
      return ["--ro-bind", "/dev/null", mount.path];
    case "link":
      return ["--symlink", mount.target, mount.path];
  }
}

/** A NUL inside of one would make it two, and the second might be an option. */
function nulTerminated(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  if (texts.some((text) => text.includes("\0"))) {
    throw new UnwrappableError("the command's directory or environment contains a NUL");
  }
  return encodeOsString(texts.map((text) => `${text}\0`).join(""));
}
