import { setImmediate } from "node:timers";
import type { OutputStream, TerminalSize } from "../../protocol/process.ts";
import {
  type Child,
  type ChildCommand,
  type ChildObserver,
  StartError,
  type WriteOutcome,
} from "../child.ts";

/**
 * Starts a command through the runtime, on macOS and Windows. Windows has no signals: an interrupt reaches
 * only commands on a terminal, as Ctrl-C, and a request to end none. `arg0` is ignored there.
 *
 * @throws {StartError}
 */
export async function startPortableChild(
  command: ChildCommand,
  observer: ChildObserver,
): Promise<Child> {
  try {
    return new PortableChild(await startProcess(command), observer);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function startProcess(command: ChildCommand): Promise<StartedProcess> {
  if (command.stdio.kind === "pipes") {
    const { startOnPipes } = await import("./pipes.ts");
    return startOnPipes(command, command.stdio.stdin);
  }
  if (Deno.build.os === "windows") {
    const { startOnConsole } = await import("./windows_console.ts");
    return await startOnConsole(command, command.stdio.size);
  }
  const { startOnTerminal } = await import("./unix_terminal.ts");
  return startOnTerminal(command, command.stdio.size);
}

/** More bytes than a pipe, a terminal and the runtime can buffer together. */
const HELD_BYTES = 512 * 1024;
/** Silence after the exit that counts as the end of output, in milliseconds. */
const QUIET_MS = 50;

/** Gets the bytes of an output. */
export interface OutputObserver {
  bytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** All writers have closed it. Called once, and not after `close`. */
  ended(): void;
}

/** The reading end of a child's output. Reading begins at the first `resume`. */
export interface ChildOutput {
  pause(): void;
  resume(): void;
  /** Stops reading for good. */
  close(): void;
}

/** Opens an output for an observer. */
export type OutputOpener = (observer: OutputObserver) => ChildOutput;

/** The writing end of a child's input. */
export interface ChildInput {
  /** Writes in the order of the calls. Settles with `closed` when the child no longer reads. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome>;
  /** Ends the input after the writes that wait. */
  end(): void;
  /** Closes the input; writes that wait settle with `closed`. */
  close(): void;
}

/** The parts of a process that has just been started. */
export interface StartedProcess {
  readonly pid: number;
  /** Settles with the exit code, 128 + n for signal n. */
  readonly exit: Promise<number>;
  readonly input: ChildInput | undefined;
  readonly outputs: readonly { readonly stream: OutputStream; readonly open: OutputOpener }[];
  /** Whether output ends with the process, though the system may not report its end. */
  readonly outputsEndWithExit?: boolean;
  /** Sets the size of the terminal, if there is one. */
  readonly resize?: (size: TerminalSize) => void;
  /** Interrupts the command on a system without signals. */
  readonly interrupt?: () => void;
}

/** A running command on macOS and Windows, started through the runtime. */
export class PortableChild implements Child {
  readonly pid: number;
  readonly #process: StartedProcess;
  readonly #observer: ChildObserver;
  readonly #outputs: readonly ChildOutput[];
  #outputsOpen: number;
  #paused = false;
  #exitCode: number | undefined;
  #exitTold = false;
  #over = false;
  #bytesSinceExit = 0;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(process: StartedProcess, observer: ChildObserver) {
    this.pid = process.pid;
    this.#process = process;
    this.#observer = observer;
    this.#outputsOpen = process.outputs.length;
    this.#outputs = process.outputs.map(({ stream, open }) =>
      open({
        bytes: (bytes) => this.#told(stream, bytes),
        ended: () => this.#outputEnded(),
      })
    );
    process.exit.then((exitCode) => this.#exited(exitCode));
    // In a later turn of the event loop, when whoever awaits the start has the child.
    setImmediate(() => this.#begin());
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    return this.#process.input?.write(bytes) ?? Promise.resolve("closed");
  }

  closeInput(): void {
    this.#process.input?.end();
  }

  pause(): void {
    this.#paused = true;
    clearTimeout(this.#silence);
    for (const output of this.#outputs) output.pause();
  }

  resume(): void {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    for (const output of this.#outputs) output.resume();
    this.#awaitSilence();
  }

  interrupt(): void {
    if (this.#exitCode !== undefined) return;
    if (this.#process.interrupt !== undefined) this.#process.interrupt();
    else signalGroup(this.pid, "SIGINT");
  }

  requestEnd(): boolean {
    if (this.#exitCode !== undefined) return false;
    signalGroup(this.pid, "SIGTERM");
    return true;
  }

  hangUp(): void {
    if (this.#exitCode === undefined) signalGroup(this.pid, "SIGHUP");
  }

  kill(): void {
    if (this.#exitCode === undefined) killGroup(this.pid);
  }

  resize(size: TerminalSize): void {
    if (this.#exitCode === undefined) this.#process.resize?.(size);
  }

  abandon(): void {
    this.#over = true;
    clearTimeout(this.#silence);
    this.#process.input?.close();
    this.#closeOutputs();
  }

  #begin(): void {
    if (this.#paused) return;
    for (const output of this.#outputs) output.resume();
  }

  #told(stream: OutputStream, bytes: Uint8Array<ArrayBuffer>): void {
    this.#observer.output(stream, bytes);
    if (this.#exitCode === undefined || this.#exitTold) return;
    this.#bytesSinceExit += bytes.length;
    this.#awaitSilence();
  }

  #outputEnded(): void {
    this.#outputsOpen--;
    this.#awaitSilence();
    this.#tellEnd();
  }

  #exited(exitCode: number): void {
    this.#exitCode = exitCode;
    this.#process.input?.close();
    this.#awaitSilence();
  }

  /**
   * Reports the exit after all output that was written before it: when the outputs have ended or, if a
   * descendant keeps one open, when they have been silent for a moment or have given more bytes than they
   * could have buffered.
   */
  #awaitSilence(): void {
    clearTimeout(this.#silence);
    if (this.#exitCode === undefined || this.#exitTold || this.#paused || this.#over) return;
    if (this.#outputsOpen === 0 || this.#bytesSinceExit > HELD_BYTES) {
      this.#tellExit(this.#exitCode);
    } else {
      const exitCode = this.#exitCode;
      this.#silence = setTimeout(() => this.#tellExit(exitCode), QUIET_MS);
    }
  }

  #tellExit(exitCode: number): void {
    this.#exitTold = true;
    if (this.#process.outputsEndWithExit) this.#closeOutputs();
    this.#observer.exited(exitCode);
    this.#tellEnd();
  }

  #closeOutputs(): void {
    for (const output of this.#outputs) output.close();
    this.#outputsOpen = 0;
  }

  #tellEnd(): void {
    if (!this.#exitTold || this.#over || this.#outputsOpen > 0) return;
    this.#over = true;
    this.#observer.ended();
  }
}

/** Sends a signal to a process group, if it still exists. */
function signalGroup(leader: number, signal: Deno.Signal): void {
  signalProcess(-leader, signal);
}

/**
 * Kills a process group and all descendants of its leader, also those that left the group.
 *
 * Processes are stopped first, one generation after the other, so that none starts another between
 * listing and killing. On Windows, which has no groups, the descendants that it still lists are killed.
 */
function killGroup(leader: number): void {
  if (Deno.build.os === "windows") return killWindowsTree(leader);
  const stopped = new Set<number>();
  for (let found = [leader]; found.length > 0;) {
    for (const pid of found) {
      stopped.add(pid);
      signalProcess(pid, "SIGSTOP");
    }
    found = descendantsOf(leader).filter((pid) => !stopped.has(pid));
  }
  for (const pid of stopped) signalProcess(pid, "SIGKILL");
  signalGroup(leader, "SIGKILL");
}

/** Sends a signal to a process, unless it is gone or another user's. */
function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    if (!(error instanceof NotFound || error instanceof PermissionDenied)) throw error;
  }
}

function descendantsOf(root: number): number[] {
  const children = Map.groupBy(listProcesses(), ({ parent }) => parent);
  const found: number[] = [];
  const visit = (pid: number) => {
    for (const child of children.get(pid) ?? []) {
      found.push(child.pid);
      visit(child.pid);
    }
  };
  visit(root);
  return found;
}

/** Every process with its parent; none where there is no ps(1). */
function listProcesses(): { readonly pid: number; readonly parent: number }[] {
  try {
    const { stdout } = new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).outputSync();
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
      const [pid = NaN, parent = NaN] = line.trim().split(/\s+/).map(Number);
      return { pid, parent };
    });
  } catch {
    return [];
  }
}

function killWindowsTree(root: number): void {
  const args = ["/PID", String(root), "/T", "/F"];
  new Deno.Command("taskkill", { args, stdout: "null", stderr: "null" }).outputSync();
}
