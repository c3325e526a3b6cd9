import { EACCES, ENOENT, EPERM } from "../os/constants.ts";
import type { ControlGroup } from "../os/control_groups.ts";
import type {
  ExceededLimit,
  NetworkReport,
  OutputStream,
  StartFailure,
  TerminalSize,
} from "../protocol/process.ts";
import type { SandboxType } from "../protocol/sandbox.ts";

/** What a command reads from and writes to. */
export type ChildStdio =
  | { readonly kind: "pipes"; readonly stdin: "pipe" | "empty" }
  | {
    readonly kind: "pty";
    readonly size: TerminalSize;
    /**
     * Whether the terminal becomes the command's controlling terminal, or is left for a descendant
     * to take.
     *
     * @default true
     */
    readonly controlling?: boolean;
  };

/** A descriptor besides the standard streams: the command gets a copy, under this number. */
export interface ExtraDescriptor {
  readonly number: number;
  /** One of this program's own, which it has to keep open until the command has started. */
  readonly source: number;
}

/** A command to run, as the operating system takes it. */
export interface ChildCommand {
  /** Not empty. The first is looked up in the command's own PATH unless it has a slash. */
  readonly argv: readonly string[];
  /** What the command sees as its name instead of `argv[0]`. */
  readonly arg0?: string | undefined;
  /** A native absolute path. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdio: ChildStdio;
  /** Linux only. @default none */
  readonly descriptors?: readonly ExtraDescriptor[];
  /**
   * Whether the device that an empty input is cannot be changed through it: see `sealedNullDevice`.
   * Linux only.
   *
   * @default false
   */
  readonly sealed?: boolean;
  /** Where it is started, so that it is kept within limits. Linux only. @default where this is */
  readonly group?: ControlGroup | undefined;
}

/** What happens to a child, told in this order: output …, exit, output …, end. */
export interface ChildObserver {
  /** Bytes that the child or a descendant wrote. Valid only during the call. */
  output(stream: OutputStream, bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * The child has ended, and what it wrote before has been told. 128 + n for signal n.
   *
   * @param limit which limit ended it, if one did
   */
  exited(exitCode: number, limit?: ExceededLimit): void;
  /** After the exit, nothing holds the output open any more. Last. */
  ended(): void;
}

/** How an attempt to give a child input ended. */
export type WriteOutcome = "written" | "closed";

/** What a child tells about its sandbox. */
export interface ChildSandbox {
  readonly sandboxType: Exclude<SandboxType, "none">;
  /** Whether a command that ended so, and wrote this, most likely was denied something. */
  isDenial(exitCode: number, output: string): boolean;
  /** What the command asked of its network so far. Missing where it has none that anybody watches. */
  readonly network?: NetworkReport | undefined;
}

/** A command whose descendants can be told by their session, or by what they write to. */
export interface OutputsOwner {
  readonly pid: number;
  /** Sessions (setsid(2)) besides its own that descendants of it have opened before it was told of. */
  readonly sessions?: readonly number[];
  /**
   * The pipes or the terminal that it was given to write to and that are open, by the kernel's names:
   * only its descendants have the same. Missing where that is not known.
   */
  outputNames?(): readonly string[];
}

/** A started command, leader of its own session and process group. */
export interface Child extends OutputsOwner {
  /** Missing when the command is not sandboxed. */
  readonly sandbox?: ChildSandbox;
  /**
   * Gives the child input, in the order of the calls. Settles when the system has taken all of it,
   * or when the child no longer reads.
   */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome>;
  /** Ends the child's input once it has taken what was written. Nothing happens on a terminal. */
  closeInput(): void;
  /** Stops reading output: the child waits when its pipe is full. Exit is not told meanwhile. */
  pause(): void;
  /** Goes on reading output. */
  resume(): void;
  /** Sends SIGINT to the process group. */
  interrupt(): void;
  /** Sends SIGTERM to the process group. Returns whether the command itself still ran. */
  requestEnd(): boolean;
  /** Sends SIGHUP to the process group. */
  hangUp(): void;
  /** Kills the process group and every descendant that left it. */
  kill(): void;
  /** Changes the size of the pseudo-terminal. Nothing happens without one. */
  resize(size: TerminalSize): void;
  /** Stops listening to descendants that outlive the child: they lose their readers. */
  abandon(): void;
}

/** What a client is told of a start that the system refused with an error number (errno(3)). */
export function startFailureOf(culprit: StartFailure["culprit"], errno: number): StartFailure {
  return { kind: FAILURE_KINDS.get(errno) ?? "spawnFailed", culprit, errno };
}

const FAILURE_KINDS: ReadonlyMap<number, StartFailure["kind"]> = new Map([
  [ENOENT, "spawnNotFound"],
  [EACCES, "spawnPermissionDenied"],
  [EPERM, "spawnPermissionDenied"],
]);

/** Why a command could not be started, in the operating system's words. */
export class StartError extends Error {
  override readonly name = "StartError";
  /** What could not be used; undefined where that is not known. */
  readonly failure: StartFailure | undefined;

  constructor(message: string, options: ErrorOptions & { readonly failure?: StartFailure } = {}) {
    super(message, options);
    this.failure = options.failure;
  }
}
