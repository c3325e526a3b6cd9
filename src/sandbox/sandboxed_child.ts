import type { Child, ChildSandbox, WriteOutcome } from "../process/child.ts";
import type { TerminalSize } from "../protocol/process.ts";

/** What has to be done otherwise than by what was started alone. */
export type Detour = Pick<Child, "interrupt" | "requestEnd" | "hangUp" | "abandon">;

/**
 * A sandboxed command: what was started for it is itself, or a wrapper (bwrap(1), sandbox-exec(1)) whose
 * streams, exit and death are the command's, but which may not pass on signals; these can go another way.
 */
export class SandboxedChild implements Child {
  readonly pid: number;
  readonly sandbox: ChildSandbox;
  readonly sessions: readonly number[];
  readonly #started: Child;
  readonly #detour: Detour;
  #held = false;
  #paused = false;

  /** @param sessions those that are the sandbox's own */
  constructor(
    started: Child,
    sandbox: ChildSandbox,
    detour: Detour = started,
    sessions: readonly number[] = [],
  ) {
    this.pid = started.pid;
    this.sandbox = sandbox;
    this.sessions = sessions;
    this.#started = started;
    this.#detour = detour;
  }

  outputNames(): readonly string[] {
    return this.#started.outputNames?.() ?? [];
  }

  /** Keeps output and exit back until {@linkcode letGo}, whoever resumes. */
  hold(): void {
    this.#held = true;
    this.#started.pause();
  }

  letGo(): void {
    this.#held = false;
    if (!this.#paused) this.#started.resume();
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    return this.#started.write(bytes);
  }

  closeInput(): void {
    this.#started.closeInput();
  }

  pause(): void {
    this.#paused = true;
    this.#started.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#held) this.#started.resume();
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
    this.#started.kill();
  }

  resize(size: TerminalSize): void {
    this.#started.resize(size);
  }

  abandon(): void {
    this.#detour.abandon();
  }
}
