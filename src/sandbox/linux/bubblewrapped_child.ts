import type { Child, Enclosure, TerminalSize, WriteOutcome } from "../../process/child.ts";
import { childrenOf } from "../../process/linux/procfs.ts";
import { Signal, signalGroup } from "../../process/linux/signals.ts";

/** What a wrapped command is besides its wrapper. */
export interface WrappedProcess {
  readonly wrapper: Child;
  /** The leader of the sandbox's session and parent of the command. */
  readonly firstProcess: number;
  /** Whether the command is in a session of its own, which it leads. */
  readonly takesTerminal: boolean;
  readonly enclosure: Enclosure;
}

/**
 * A command inside of a wrapper: its streams, exit and death are the wrapper's, which passes them
 * on, but signals go to the command. A wrapper that got them would end, and the command with it.
 */
export class BubblewrappedChild implements Child {
  readonly pid: number;
  readonly enclosure: Enclosure;
  readonly #process: WrappedProcess;
  #held = true;
  #paused = false;

  /** @param process a wrapper that is paused; it stays so until {@linkcode letGo} */
  constructor(process: WrappedProcess) {
    this.pid = process.wrapper.pid;
    this.enclosure = process.enclosure;
    this.#process = process;
  }

  /** Lets output and exit be told from now on. */
  letGo(): void {
    this.#held = false;
    if (!this.#paused) this.#process.wrapper.resume();
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    return this.#process.wrapper.write(bytes);
  }

  closeInput(): void {
    this.#process.wrapper.closeInput();
  }

  pause(): void {
    this.#paused = true;
    this.#process.wrapper.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#held) this.#process.wrapper.resume();
  }

  interrupt(): void {
    this.#signal(Signal.Interrupt);
  }

  requestEnd(): void {
    this.#signal(Signal.Terminate);
  }

  kill(): void {
    this.#process.wrapper.kill();
  }

  resize(size: TerminalSize): void {
    this.#process.wrapper.resize(size);
  }

  abandon(): void {
    this.#process.wrapper.abandon();
  }

  /**
   * The first process is in the command's group, unless that has one of its own, and takes no
   * notice: the kernel keeps from the first of a PID namespace what it has no handler for
   * (pid_namespaces(7)).
   */
  #signal(signal: number): void {
    const { firstProcess, takesTerminal } = this.#process;
    const [command] = takesTerminal ? childrenOf(firstProcess) : [];
    // One that is still about to open its session is in the first process's group.
    if (command !== undefined && signalGroup(command, signal)) return;
    signalGroup(firstProcess, signal);
  }
}
