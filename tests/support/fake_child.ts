import type {
  Child,
  ChildCommand,
  ChildObserver,
  ChildSandbox,
  WriteOutcome,
} from "../../src/process/child.ts";
import type { TerminalSize } from "../../src/protocol/process.ts";
import type { ChildStarter } from "../../src/process/process.ts";

/** A child without an operating system: it records what it is told, and says what a test wants. */
export class FakeChild implements Child {
  readonly pid: number;
  readonly command: ChildCommand;
  /** To be set by tests of enclosed children. */
  sandbox?: ChildSandbox;
  /** To be unset by tests of children that have ended without having told so. */
  running = true;
  /** The names of the calls so far, and what they were given. */
  readonly calls: string[] = [];
  /** Tells what happens to the child. */
  readonly tell: ChildObserver;
  readonly #unwritten: ((outcome: WriteOutcome) => void)[] = [];

  constructor(pid: number, command: ChildCommand, observer: ChildObserver) {
    this.pid = pid;
    this.command = command;
    this.tell = observer;
  }

  say(text: string): void {
    this.tell.output("stdout", new TextEncoder().encode(text));
  }

  /** Exits, and nothing holds its output open. */
  finish(exitCode: number): void {
    this.tell.exited(exitCode);
    this.tell.ended();
  }

  /** Answers the oldest write that waits. */
  settleWrite(outcome: WriteOutcome): void {
    this.#unwritten.shift()?.(outcome);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    this.calls.push(`write ${bytes.length}`);
    return new Promise((resolve) => this.#unwritten.push(resolve));
  }

  closeInput(): void {
    this.calls.push("closeInput");
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  interrupt(): void {
    this.calls.push("interrupt");
  }

  requestEnd(): boolean {
    this.calls.push("requestEnd");
    return this.running;
  }

  hangUp(): void {
    this.calls.push("hangUp");
  }

  kill(): void {
    this.calls.push("kill");
  }

  resize({ rows, cols }: TerminalSize): void {
    this.calls.push(`resize ${rows}x${cols}`);
  }

  abandon(): void {
    this.calls.push("abandon");
  }
}

/** Starts fake children and remembers them. */
export class FakeSystem {
  readonly children: FakeChild[] = [];
  /** Settled before a child starts; replaced by tests that hold a start up or let it fail. */
  ready: Promise<void> = Promise.resolve();

  readonly start: ChildStarter = async (command, observer) => {
    await this.ready;
    const child = new FakeChild(1000 + this.children.length, command, observer);
    this.children.push(child);
    return child;
  };

  /** The child that started last. */
  get newest(): FakeChild {
    const child = this.children.at(-1);
    if (child === undefined) throw new Error("no child has started");
    return child;
  }
}

/** A command that reads input unless told otherwise. */
export function fakeCommand(stdin: "pipe" | "empty" = "pipe"): ChildCommand {
  return { argv: ["a"], cwd: "/", env: {}, stdio: { kind: "pipes", stdin } };
}
