import type { ExecEvent, ExecProcess, StartParams } from "../../src/client/mod.ts";
import { settled } from "./patience.ts";

/** Parameters for a shell command in a plain environment. */
export function shell(script: string, more: Partial<StartParams> = {}): StartParams {
  return command(["/bin/sh", "-c", script], more);
}

/** Parameters for a command in a plain environment. */
export function command(argv: string[], more: Partial<StartParams> = {}): StartParams {
  return { argv, cwd: "file:///", env: { PATH: "/usr/bin:/bin" }, ...more };
}

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Takes a process's events as they come, and keeps them. */
export class Followed {
  readonly events: ExecEvent[] = [];
  readonly #all: Promise<void>;
  #woken = Promise.withResolvers<void>();

  constructor(process: ExecProcess) {
    this.#all = this.#follow(process);
  }

  /** What has been said so far on a stream. */
  text(stream: string = "stdout"): string {
    const decoder = new TextDecoder();
    return this.events
      .filter((event) => event.kind === "output")
      .filter((event) => event.stream === stream)
      .map((event) => decoder.decode(event.bytes, { stream: true }))
      .join("");
  }

  get exitCode(): number | undefined {
    return this.events.find((event) => event.kind === "exited")?.exitCode;
  }

  get failure(): Error | undefined {
    return this.events.find((event) => event.kind === "failed")?.error;
  }

  /** The kinds of events, neighbours of one kind once. */
  get kinds(): string[] {
    return this.events.map(({ kind }) => kind).filter((kind, index, all) =>
      kind !== all[index - 1]
    );
  }

  /** Waits until a stream has said what matches. */
  says(pattern: RegExp, stream?: string): Promise<void> {
    return this.until(() => pattern.test(this.text(stream)), String(pattern));
  }

  /** Waits until something holds of the events. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) await settled(this.#woken.promise, what);
  }

  /** Waits until there is nothing more to come. */
  end(): Promise<void> {
    return settled(this.#all, "the last event");
  }

  async #follow(process: ExecProcess): Promise<void> {
    for await (const event of process) {
      this.events.push(event);
      this.#woken.resolve();
      this.#woken = Promise.withResolvers();
    }
  }
}
