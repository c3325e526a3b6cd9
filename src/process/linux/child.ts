import type { OutputStream } from "../../protocol/process.ts";
import type { Child, ChildObserver, TerminalSize, WriteOutcome } from "../child.ts";
import { ChildInput } from "./child_input.ts";
import { ChildOutput } from "./child_output.ts";
import { closeDescriptor, type Descriptor } from "./descriptors.ts";
import { libc } from "./libc.ts";
import { type Poller, Ready } from "./poller.ts";
import { descendantsOf } from "./procfs.ts";
import { resizePseudoTerminal } from "./pseudo_terminal.ts";
import { reap, Signal, signalGroup, signalProcess } from "./signals.ts";

const SYS_PIDFD_OPEN = 434n;
/** How long a terminal may take to hang up once its command has exited, in milliseconds. */
const HANG_UP_GRACE_MS = 10;

/** Our ends of a command's pipes or terminal. */
export interface ChildDescriptors {
  readonly input: Descriptor | undefined;
  readonly outputs: readonly { readonly stream: OutputStream; readonly descriptor: Descriptor }[];
}

/** A running command on Linux: its streams, its exit, and its whole process group. */
export class LinuxChild implements Child {
  readonly pid: number;
  readonly #poller: Poller;
  readonly #observer: ChildObserver;
  readonly #input: ChildInput | undefined;
  readonly #outputs: readonly ChildOutput[];
  readonly #terminal: Descriptor | undefined;
  #paused = false;
  #exitCode: number | undefined;
  #exitTold = false;
  #over = false;

  constructor(pid: number, poller: Poller, ours: ChildDescriptors, observer: ChildObserver) {
    this.pid = pid;
    this.#poller = poller;
    this.#observer = observer;
    this.#input = ours.input === undefined ? undefined : new ChildInput(poller, ours.input);
    this.#terminal = ours.outputs.find(({ stream }) => stream === "pty")?.descriptor;
    this.#outputs = ours.outputs.map(({ stream, descriptor }) =>
      new ChildOutput(poller, descriptor, {
        bytes: (bytes) => observer.output(stream, bytes),
        ended: () => this.#outputEnded(),
      })
    );
    this.#watchExit();
  }

  get #outputEnds(): boolean {
    return this.#outputs.every((output) => output.ended);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    return this.#input?.write(bytes) ?? Promise.resolve("closed");
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

  requestEnd(): void {
    if (this.#exitCode === undefined) signalGroup(this.pid, Signal.Terminate);
  }

  kill(): void {
    if (this.#exitCode !== undefined) return;
    const descendants = descendantsOf(this.pid);
    signalGroup(this.pid, Signal.Kill);
    for (const pid of descendants) signalProcess(pid, Signal.Kill);
  }

  resize(size: TerminalSize): void {
    if (this.#terminal !== undefined && !this.#outputEnds) {
      resizePseudoTerminal(this.#terminal, size);
    }
  }

  abandon(): void {
    this.#over = true;
    this.#input?.close();
    for (const output of this.#outputs) output.close();
  }

  /** A process descriptor becomes readable when its process has ended (pidfd_open(2)). */
  #watchExit(): void {
    const pidfd = Number(libc().syscall(SYS_PIDFD_OPEN, BigInt(this.pid), 0n, 0n));
    this.#poller.watch(pidfd, Ready.Input, () => {
      const exitCode = reap(this.pid);
      if (exitCode === undefined) return;
      this.#poller.unwatch(pidfd);
      closeDescriptor(pidfd);
      this.#exitCode = exitCode;
      this.#input?.close();
      this.#tellExit();
    });
  }

  /**
   * Tells the exit after the output that came before it. What a terminal has taken in reaches us
   * through a queue of the kernel's, so its hang-up, which the exit brings about, is awaited.
   */
  #tellExit(): void {
    if (this.#exitCode === undefined || this.#exitTold || this.#paused || this.#over) return;
    if (this.#terminal !== undefined && !this.#outputEnds) {
      setTimeout(() => this.#drainAndTellExit(), HANG_UP_GRACE_MS);
    } else {
      this.#drainAndTellExit();
    }
  }

  #drainAndTellExit(): void {
    if (this.#exitCode === undefined || this.#exitTold || this.#paused || this.#over) return;
    for (const output of this.#outputs) output.drain();
    if (this.#exitTold) return;
    this.#exitTold = true;
    this.#observer.exited(this.#exitCode);
    this.#tellEnd();
  }

  #outputEnded(): void {
    if (this.#terminal !== undefined) this.#drainAndTellExit();
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#exitTold || this.#over || !this.#outputEnds) return;
    this.#over = true;
    this.#observer.ended();
  }
}
