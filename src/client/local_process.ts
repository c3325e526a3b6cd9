import { type ChildCommand, StartError } from "../process/child.ts";
import { Deadline, DEFAULT_GRACE_MS } from "../process/deadline.ts";
import { commandEnvironment } from "../process/environment.ts";
import { EventLog, type LogEvent } from "../process/event_log.ts";
import { Process } from "../process/process.ts";
import { startChild } from "../process/start_child.ts";
import { describeIssue, internalError, invalidParams, invalidRequest } from "../protocol/errors.ts";
import { type PathUri, PathUriError } from "../protocol/path_uri.ts";
import { readResult, type StartParams as ParsedParams, startParams } from "../protocol/process.ts";
import { requiresSandbox } from "../sandbox/policy/policy.ts";
import type { StartParams } from "./client_options.ts";
import { EventBuffer } from "./event_buffer.ts";
import type {
  Completion,
  ExecEvent,
  ExecProcess,
  ProcessEvent,
  ProcessSignal,
  ReadOptions,
  ReadOutcome,
  TerminalSize,
  WriteStatus,
} from "./exec_process.ts";

/** Bytes of output waiting for the consumer past which the process waits. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** The size of a terminal unless one is given. */
const INITIAL_TERMINAL_SIZE = { rows: 24, cols: 80 };

/**
 * Starts a command on this machine, without an executor. There is no sandbox, and processes that the
 * command leaves behind run on.
 *
 * @throws {RpcError} as an executor does: -32602 for wrong parameters, -32603 when the command cannot be
 * started
 */
export async function startLocalProcess(params: StartParams): Promise<ExecProcess> {
  const processId = params.processId ?? crypto.randomUUID();
  const parsed = startParams.safeParse({
    tty: false,
    ...params,
    processId,
    cwd: params.cwd.toString(),
  });
  if (!parsed.success) {
    throw invalidParams(parsed.error.issues.map(describeIssue).join("; "));
  }
  if (requiresSandbox(parsed.data)) {
    throw internalError("a local process has no sandbox; the command was not started");
  }
  return await LocalProcess.start(processId, parsed.data);
}

/** A command that this program runs itself. */
class LocalProcess implements ExecProcess {
  readonly processId: string;
  readonly sandboxType = "none";
  readonly #log = new EventLog();
  readonly #completion = Promise.withResolvers<Completion>();
  readonly #events = new EventBuffer(MAX_BUFFERED_BYTES, {
    kind: "wait",
    hold: () => this.#process?.pause(),
    release: () => this.#process?.resume(),
  });
  #process: Process | undefined;
  #exit: Completion | undefined;
  #lastWrite = 0;

  private constructor(processId: string) {
    this.processId = processId;
  }

  static async start(processId: string, params: ParsedParams): Promise<LocalProcess> {
    const local = new LocalProcess(processId);
    const { timeoutMs } = params;
    try {
      local.#process = await Process.start(
        localCommand(params),
        startChild,
        local.#log,
        (event) => local.#told(event),
        {
          deadline: timeoutMs === undefined
            ? undefined
            : new Deadline({ timeMs: timeoutMs, graceMs: DEFAULT_GRACE_MS }),
        },
      );
      return local;
    } catch (error) {
      throw error instanceof StartError
        ? internalError(error.message, error, error.failure)
        : error;
    }
  }

  get completion(): Promise<Completion> {
    return this.#completion.promise;
  }

  [Symbol.asyncIterator](): AsyncIterator<ExecEvent, void> {
    return this.#events;
  }

  async read({ afterSeq = 0, maxBytes, waitMs = 0 }: ReadOptions = {}): Promise<ReadOutcome> {
    await this.#log.waitForNews(afterSeq, waitMs, new AbortController().signal);
    return readResult.parse(this.#log.read({ afterSeq, maxBytes }));
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus> {
    return await this.#process?.write(bytes, String(++this.#lastWrite)) ?? "unknownProcess";
  }

  closeStdin(): Promise<void> {
    if (this.#process?.onTerminal) {
      return Promise.reject(invalidRequest("a terminal has no end of input"));
    }
    this.#process?.closeInput();
    return Promise.resolve();
  }

  signal(signal: ProcessSignal): Promise<void> {
    this.#process?.signal(signal);
    return Promise.resolve();
  }

  terminate(): Promise<boolean> {
    return Promise.resolve(this.#process?.terminate() ?? false);
  }

  resize(size: TerminalSize): Promise<void> {
    this.#process?.resize(size);
    return Promise.resolve();
  }

  #told(logged: LogEvent): void {
    const event = unlogged(logged);
    if (event.kind === "exited") this.#exit = event;
    this.#events.push(event);
    if (event.kind === "closed" && this.#exit !== undefined) {
      const { exitCode, sandboxDenied, timedOut } = this.#exit;
      this.#completion.resolve({
        exitCode,
        sandboxDenied,
        ...timedOut === true && { timedOut },
      });
    }
  }
}

function unlogged(event: LogEvent): ProcessEvent {
  if (event.kind !== "output") return event;
  const { kind, seq, stream, bytes } = event;
  return { kind, seq, stream, bytes: new Uint8Array(bytes) };
}

function localCommand(params: ParsedParams): ChildCommand {
  return {
    argv: params.argv,
    arg0: params.arg0,
    cwd: nativePath(params.cwd),
    env: commandEnvironment(params.env, params.envPolicy, Deno.env.toObject()),
    stdio: params.tty
      ? { kind: "pty", size: params.terminalSize ?? INITIAL_TERMINAL_SIZE }
      : { kind: "pipes", stdin: params.pipeStdin ? "pipe" : "empty" },
  };
}

function nativePath(uri: PathUri): string {
  try {
    return uri.toNativePath();
  } catch (error) {
    if (error instanceof PathUriError) throw invalidParams(`\`cwd\` ${error.message}`);
    throw error;
  }
}
