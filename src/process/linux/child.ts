import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import type { OutputStream } from "../../protocol/process.ts";
import type { ControlGroup } from "../../os/control_groups.ts";
import type { Child, ChildObserver, WriteOutcome } from "../child.ts";
import type { TerminalSize } from "../../protocol/process.ts";
import { ChildInput, ChildOutput } from "./child_streams.ts";
import { type Poller, Ready } from "../../os/epoll.ts";
import { isRunning, killTree } from "../../os/procfs.ts";
import { resizePseudoTerminal } from "../../os/pseudo_terminal.ts";
import { onChildEnd, reap, Signal, signalGroup } from "../../os/signals.ts";
import type { StartedProcess } from "../../os/spawn.ts";

/** Our end of a pipe or terminal that a command writes to. */
export interface ChildOutputDescriptor {
  readonly stream: OutputStream;
  readonly descriptor: Descriptor;
  /** What the command's end is called, if not the same as ours. */
  readonly name?: string;
}

/** Our ends of a command's pipes or terminal. */
export interface ChildDescriptors {
  readonly input: Descriptor | undefined;
  readonly outputs: readonly ChildOutputDescriptor[];
}

/** A running command on Linux: its streams, its exit, and its whole process group. */
export class LinuxChild implements Child {
  readonly pid: number;
  readonly #poller: Poller;
  readonly #observer: ChildObserver;
  readonly #input: ChildInput | undefined;
  readonly #outputs: readonly ChildOutput[];
  readonly #terminal: Descriptor | undefined;
  readonly #reaped: (() => void) | undefined;
  readonly #group: ControlGroup | undefined;
  #paused = false;
  #exitCode: number | undefined;
  #exitTold = false;
  #over = false;
  /** What its outputs were called when they were closed. */
  #closedNames: readonly string[] | undefined;

  /**
   * @param reaped called back once, also for one that has been abandoned
   * @param group has all that the command starts, and nothing else
   */
  constructor(
    process: StartedProcess,
    poller: Poller,
    ours: ChildDescriptors,
    observer: ChildObserver,
    reaped?: () => void,
    group?: ControlGroup,
  ) {
    this.pid = process.pid;
    this.#group = group;
    this.#reaped = reaped;
    this.#poller = poller;
    this.#observer = observer;
    this.#input = ours.input === undefined ? undefined : new ChildInput(poller, ours.input);
    this.#terminal = ours.outputs.find(({ stream }) => stream === "pty")?.descriptor;
    this.#outputs = ours.outputs.map(({ stream, descriptor, name }) =>
      new ChildOutput(poller, descriptor, {
        bytes: (bytes) => observer.output(stream, bytes),
        ended: () => this.#tellEnd(),
      }, name)
    );
    this.#watchExit(process.descriptor);
  }

  outputNames(): readonly string[] {
    return this.#closedNames ??
      this.#outputs.map(({ name }) => name).filter((name) => name !== undefined);
  }

  get #outputEnds(): boolean {
    return this.#outputs.every((output) => output.ended);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    return this.#input?.write(bytes) ?? Promise.resolve("closed");
  }

  closeInput(): void {
    if (this.#terminal === undefined) this.#input?.closeWhenWritten();
  }

  pause(): void {
    this.#paused = true;
    for (const output of this.#outputs) output.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const output of this.#outputs) output.resume();
    this.#tellExit();
  }

  interrupt(): void {
    if (this.#exitCode === undefined) signalGroup(this.pid, Signal.Interrupt);
  }

  /** It may have ended without this program having heard of it yet. */
  requestEnd(): boolean {
    if (this.#exitCode !== undefined) return false;
    const running = isRunning(this.pid);
    signalGroup(this.pid, Signal.Terminate);
    return running;
  }

  hangUp(): void {
    if (this.#exitCode === undefined) signalGroup(this.pid, Signal.HangUp);
  }

  kill(): void {
    if (this.#exitCode !== undefined) return;
    killTree(this.pid);
    signalGroup(this.pid, Signal.Kill);
    this.#group?.kill();
  }

  resize(size: TerminalSize): void {
    if (this.#terminal !== undefined && !this.#outputEnds) {
      resizePseudoTerminal(this.#terminal, size);
    }
  }

  abandon(): void {
    this.#over = true;
    this.#closedNames ??= this.outputNames();
    this.#input?.close();
    for (const output of this.#outputs) output.close();
  }

  #watchExit(processDescriptor: Descriptor | undefined): void {
    if (processDescriptor === undefined) {
      const stop = onChildEnd(() => this.#reap() && stop());
      return;
    }
    this.#poller.watch(processDescriptor, Ready.Input, () => {
      if (!this.#reap()) return;
      this.#poller.unwatch(processDescriptor);
      closeDescriptor(processDescriptor);
    });
  }

  /** Returns whether it has ended. */
  #reap(): boolean {
    const exitCode = reap(this.pid);
    if (exitCode === undefined) return false;
    this.#exitCode = exitCode;
    this.#reaped?.();
    this.#input?.close();
    this.#tellExit();
    return true;
  }

  /** Tells the exit after the output that came before it. */
  #tellExit(): void {
    if (this.#exitCode === undefined || this.#exitTold) return;
    for (const output of this.#outputs) output.drain();
    if (this.#exitTold || this.#paused || this.#over) return;
    this.#exitTold = true;
    this.#observer.exited(this.#exitCode);
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#exitTold || this.#over || !this.#outputEnds) return;
    this.#over = true;
    this.#observer.ended();
  }
}
