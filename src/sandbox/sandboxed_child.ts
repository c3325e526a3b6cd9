import type { Child, ChildSandbox, WriteOutcome } from "../process/child.ts";
import type { TerminalSize } from "../protocol/process.ts";

/** What has to be done otherwise than by the wrapper alone. */
export type Detour = Pick<Child, "interrupt" | "requestEnd" | "hangUp" | "abandon">;

/**
 * A sandboxed command that a wrapper starts: its streams, exit and death are the wrapper's, which passes them
 * on; signals, which it may not, can go another way.
 */
export class SandboxedChild implements Child {
  readonly pid: number;
  readonly sandbox: ChildSandbox;
  readonly sessions: readonly number[];
  readonly #wrapper: Child;
  readonly #detour: Detour;
  #held = false;
  #paused = false;

  /** @param sessions those that are the sandbox's own */
  constructor(
    wrapper: Child,
    sandbox: ChildSandbox,
    detour: Detour = wrapper,
    sessions: readonly number[] = [],
  ) {
    this.pid = wrapper.pid;
    this.sandbox = sandbox;
    this.sessions = sessions;
    this.#wrapper = wrapper;
    this.#detour = detour;
  }

  outputNames(): readonly string[] {
    return this.#wrapper.outputNames?.() ?? [];
  }

  /** Keeps output and exit back until {@linkcode letGo}, whoever resumes. */
  hold(): void {
    this.#held = true;
    this.#wrapper.pause();
  }

  letGo(): void {
    this.#held = false;
    if (!this.#paused) this.#wrapper.resume();
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    return this.#wrapper.write(bytes);
  }

  closeInput(): void {
    this.#wrapper.closeInput();
  }

  pause(): void {
    this.#paused = true;
    this.#wrapper.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#held) this.#wrapper.resume();
  }

  interrupt(): void {
    this.#detour.interrupt();
  }

  requestEnd(): boolean {
    return this.#detour.requestEnd();
  }

  hangUp(): void {
    this.#detour.hangUp();
  }

  kill(): void {
    this.#wrapper.kill();
  }

  resize(size: TerminalSize): void {
    this.#wrapper.resize(size);
  }

  abandon(): void {
    this.#detour.abandon();
  }
}
