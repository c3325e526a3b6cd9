import { ConnectionError } from "./client_transport.ts";
import type { ClientTransport } from "./client_transport.ts";
import { StdioTransport } from "./stdio_transport.ts";
import { deadline } from "@std/async/deadline";
import { asTexts } from "./utf8.ts";
import type { CloseReason, EndReason, OutgoingMessage, TransportObserver } from "./transport.ts";

/** An executor to be started, spoken to over its standard input and output. */
export interface ExecutorCommand {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** What messages call it. @default the program */
  readonly name?: string;
  /**
   * Whether the same command leads to the same executor once more, as a bridge to a socket does: then
   * a session outlives the command.
   *
   * @default false
   */
  readonly resumable?: boolean;
  /** Variables added to this program's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** A native path. @default this program's working directory */
  readonly cwd?: string;
  /** Where its logs go. @default "inherit" */
  readonly stderr?: "inherit" | "null";
  /**
   * How long it has to end once its input has, before it is killed, in milliseconds: longer than the
   * grace that it gives its commands.
   *
   * @default 10 s
   */
  readonly endMs?: number;
}

const END_MS = 10_000;

/**
 * Starts an executor.
 *
 * It gets a session of its own, so that a Ctrl-C at the terminal is this program's to pass on.
 *
 * @throws {ConnectionError} when the program cannot be started
 */
export function startExecutor(executor: ExecutorCommand): ClientTransport {
  const [program, ...args] = executor.command;
  try {
    const child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: executor.stderr ?? "inherit",
      detached: true,
      ...executor.env === undefined ? {} : { env: { ...executor.env } },
      ...executor.cwd === undefined ? {} : { cwd: executor.cwd },
    }).spawn();
    const who = executor.resumable === true
      ? "the command that leads to the executor"
      : "the executor";
    return new CommandTransport(child, {
      endMs: executor.endMs ?? END_MS,
      explain: (status) => describeEnd(who, status),
    });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new ConnectionError("unreachable", `cannot start ${program}: ${words}`, {
      cause: error,
    });
  }
}

/** How a program that speaks the protocol is spoken to. */
export interface CommandTransportOptions {
  /** How long it has to end once its input has, before it is killed, in milliseconds. */
  readonly endMs: number;
  /** What it says. @default all of its standard output */
  readonly output?: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What it reads. @default its standard input */
  readonly input?: WritableStream<Uint8Array>;
  /** Says why it has ended by itself, for people. */
  readonly explain: (status: Deno.CommandStatus | undefined) => string;
}

/** How long a program that closed its output may take to end before it is told of, in milliseconds. */
const STATUS_MS = 500;

/** A connection to a started executor, which lives as long as the connection. */
export class CommandTransport implements ClientTransport {
  readonly kind = "stdio";
  readonly executorCwd = undefined;
  readonly #child: Deno.ChildProcess;
  readonly #endMs: number;
  readonly #explain: (status: Deno.CommandStatus | undefined) => string;
  readonly #lines: StdioTransport;
  readonly #gate = new Gate();
  #ending: ConnectionError | undefined;
  #ended: Promise<void> | undefined;

  constructor(child: Deno.ChildProcess, options: CommandTransportOptions) {
    const { endMs, output = child.stdout, input = child.stdin, explain } = options;
    this.#child = child;
    this.#endMs = endMs;
    this.#explain = explain;
    this.#lines = new StdioTransport(output.pipeThrough(this.#gate.stream), input);
  }

  get ending(): ConnectionError | undefined {
    return this.#ending;
  }

  get saturated(): boolean {
    return this.#lines.saturated;
  }

  open(observer: TransportObserver): void {
    this.openBytes(asTexts(observer, "a line"));
  }

  openBytes(observer: TransportObserver<Uint8Array>): void {
    this.#lines.openBytes({
      message: (bytes) => observer.message(bytes),
      unreadable: (reason) => observer.unreadable(reason),
      drained: () => observer.drained(),
      closed: (reason) => {
        this.#gate.release();
        this.#ended ??= this.#end();
        if (this.#ending === undefined) void this.#tellEnd(observer, reason);
        else observer.closed(reason);
      },
    });
  }

  send(message: OutgoingMessage): void {
    this.#lines.send(message);
  }

  hold(): void {
    this.#gate.hold();
  }

  release(): void {
    this.#gate.release();
  }

  close(reason: CloseReason): void {
    this.#ending ??= new ConnectionError("closed", reason.message);
    this.#lines.close(reason);
  }

  flushed(): Promise<void> {
    return this.#ended ?? Promise.resolve();
  }

  /** Tells of an end that this side has not brought about, with the reason if there is one soon. */
  async #tellEnd(observer: TransportObserver<Uint8Array>, reason: EndReason): Promise<void> {
    const status = await deadline(this.#child.status, STATUS_MS).catch(() => undefined);
    this.#ending ??= new ConnectionError("lost", this.#explain(status));
    observer.closed(reason);
  }

  /** At the end of its input an executor ends its processes and itself. */
  async #end(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), this.#endMs);
    await this.#lines.flushed();
    await this.#child.status;
    clearTimeout(timer);
  }
}

function describeEnd(who: string, status: Deno.CommandStatus | undefined): string {
  const reason = status === undefined || status.success ? "" : `, with exit code ${status.code}`;
  return `${who} has ended${reason}`;
}

/** Lets a stream's chunks through, or not for now. */
export class Gate {
  #held: PromiseWithResolvers<void> | undefined;

  readonly stream: TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> =
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: async (chunk, controller) => {
        await this.#held?.promise;
        controller.enqueue(chunk);
      },
    });

  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }
}
