import { setImmediate } from "node:timers";
import type { OutputStream } from "../../protocol/process.ts";
import type { Child, ChildObserver, WriteOutcome } from "../child.ts";
import type { TerminalSize } from "../../protocol/process.ts";
import { killGroup, signalGroup } from "./signals.ts";

/** More than pipes, terminals and the runtime hold between them. */
const HELD_BYTES = 512 * 1024;
/** How long outputs have to be silent after the exit to be taken for empty, in milliseconds. */
const QUIET_MS = 50;

/** What an output tells of itself. */
export interface OutputObserver {
  bytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** Every writer has closed. Told once, and not after `close`. */
  ended(): void;
}

/** Our end of a child's output. Reading begins when it is resumed for the first time. */
export interface ChildOutput {
  pause(): void;
  resume(): void;
  /** Stops reading for good. */
  close(): void;
}

/** Makes an output that tells an observer. */
export type OutputOpener = (observer: OutputObserver) => ChildOutput;

/** Our end of a child's input. */
export interface ChildInput {
  /** In the order of the calls; `closed` when the child no longer reads. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome>;
  /** Ends the input behind the writes that wait. */
  end(): void;
  /** Writes that wait are answered `closed`. */
  close(): void;
}

/** A process that has just been started, in parts. */
export interface StartedProcess {
  readonly pid: number;
  /** Settles with the exit code, 128 + n for signal n. */
  readonly exit: Promise<number>;
  readonly input: ChildInput | undefined;
  readonly outputs: readonly { readonly stream: OutputStream; readonly open: OutputOpener }[];
  /** Nobody writes any more once the process has exited, though the system may fail to tell. */
  readonly outputsEndWithExit?: boolean;
  /** Sets the size of the terminal, if there is one. */
  readonly resize?: (size: TerminalSize) => void;
  /** Interrupts the command where process groups cannot be signalled. */
  readonly interrupt?: () => void;
}

/** A running command by the means of the runtime alone. */
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
    // In a later turn of the event loop, when whoever awaits the caller has gone on.
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

  requestEnd(): void {
    if (this.#exitCode === undefined) signalGroup(this.pid, "SIGTERM");
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
   * Tells the exit once what was written before it has been told: when the outputs have ended, or
   * else, where a descendant holds one open, when they have been silent for a moment or have
   * brought more than could have been in them.
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
