import { setImmediate } from "node:timers";
import type { OutputStream } from "../../protocol/process.ts";
import type { Child, ChildObserver, WriteOutcome } from "../child.ts";
import type { TerminalSize } from "../../protocol/process.ts";
import { killGroup, signalGroup } from "./signals.ts";

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
