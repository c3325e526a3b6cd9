import { hostPath } from "../../filesystem/named.ts";
import type { Environment } from "../../os/environment.ts";
import { type ChildCommand, StartError } from "../../process/child.ts";
import { commandEnvironment } from "../../process/environment.ts";
import type { ChildStarter, Process } from "../../process/process.ts";
import { internalError, invalidParams, invalidRequest } from "../../protocol/errors.ts";
import { methods, type ResultInput } from "../../protocol/methods.ts";
import { type PathUri, PathUriError } from "../../protocol/path_uri.ts";
import type { ReadParams, StartParams, WriteParams } from "../../protocol/process.ts";
import type { SandboxBounds } from "../../sandbox/policy/bounds.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { requiresSandbox, type SandboxIntent } from "../../sandbox/policy/requires_sandbox.ts";
import { handler, type RequestHandler } from "../request_handler.ts";
import type { Session } from "../session.ts";

/** The size of a pseudo-terminal whose client does not say. */
const INITIAL_TERMINAL_SIZE = { rows: 24, cols: 80 };

const NO_END_OF_INPUT = "a terminal has no end of input; write Ctrl-D (0x04) instead";

/**
 * Handlers of all process/* requests.
 *
 * @param graceMs how long a command has to end once its time is up, in milliseconds
 */
export function processHandlers(
  environment: () => Environment,
  graceMs: number,
  bounds?: SandboxBounds,
  reserved?: () => ReservedResources,
): Record<string, RequestHandler> {
  return {
    "process/start": handler(
      methods["process/start"],
      (params, { session }) =>
        start({ ...params, bounds, reserved: reserved?.() }, session, environment(), graceMs),
    ),
    "process/read": handler(
      methods["process/read"],
      (params, { session, signal }) => read(params, session, signal),
    ),
    "process/write": handler(
      methods["process/write"],
      (params, { session }) => write(params, session),
    ),

    "process/closeStdin": handler(
      methods["process/closeStdin"],
      ({ processId }, { session }) =>
        whenStarted(session, processId, (process) => {
          if (known(process, processId).onTerminal) throw invalidRequest(NO_END_OF_INPUT);
          process?.closeInput();
          return {};
        }),
    ),

    "process/signal": handler(
      methods["process/signal"],
      ({ processId, signal }, { session }) =>
        whenStarted(session, processId, (process) => {
          process?.signal(signal);
          return {};
        }),
    ),

    "process/terminate": handler(
      methods["process/terminate"],
      ({ processId }, { session }) =>
        whenStarted(session, processId, (process) => ({
          running: process !== undefined && session.terminate(process),
        })),
    ),

    "process/resize": handler(
      methods["process/resize"],
      ({ processId, ...size }, { session }) =>
        whenStarted(session, processId, (process) => {
          known(process, processId).resize(size);
          return {};
        }),
    ),
  };
}

async function start(
  params: StartParams & SandboxIntent,
  session: Session,
  environment: Environment,
  graceMs: number,
): Promise<ResultInput<"process/start">> {
  const starter = requiresSandbox(params) ? enclosingStarter(params, environment.HOME) : undefined;
  try {
    const command = commandOf(params, environment);
    const process = await session.start(params.processId, command, starter);
    if (params.timeoutMs !== undefined) process.limitTime(params.timeoutMs, graceMs);
    return { processId: params.processId, sandboxType: process.sandboxType };
  } catch (error) {
    if (error instanceof StartError) throw internalError(error.message, error, error.failure);
    throw error;
  }
}

/** Answers at once if it can: answers that pile up unseen could not be held back. */
function read(
  { processId, waitMs, ...range }: ReadParams,
  session: Session,
  signal: AbortSignal,
): ResultInput<"process/read"> | Promise<ResultInput<"process/read">> {
  return whenStarted(session, processId, (process) => {
    const { log } = known(process, processId);
    if (waitMs === 0 || log.hasNews(range.afterSeq)) return log.read(range);
    return log.waitForNews(range.afterSeq, waitMs, signal).then(() => log.read(range));
  });
}

function write(
  { processId, chunk, writeId }: WriteParams,
  session: Session,
): ResultInput<"process/write"> | Promise<ResultInput<"process/write">> {
  return whenStarted(
    session,
    processId,
    async (process) => ({ status: await process?.write(chunk, writeId) ?? "unknownProcess" }),
  );
}

/**
 * Does something with a process, at once or when it has started: a client need not wait for the
 * answer to its start before it sends what comes next.
 */
function whenStarted<R>(
  session: Session,
  processId: string,
  action: (found: Process | undefined) => R | Promise<R>,
): R | Promise<R> {
  const process = session.find(processId);
  return process instanceof Promise ? process.then(action) : action(process);
}

function known(process: Process | undefined, processId: string): Process {
  if (process === undefined) throw invalidRequest(`unknown process id ${processId}`);
  return process;
}

/** The operating system's terms for what the client asks. */
function commandOf(params: StartParams, environment: Environment): ChildCommand {
  return {
    argv: params.argv,
    arg0: params.arg0,
    cwd: nativePath("cwd", params.cwd),
    env: commandEnvironment(params.env, params.envPolicy, environment),
    stdio: params.tty
      ? { kind: "pty", size: params.terminalSize ?? INITIAL_TERMINAL_SIZE }
      : { kind: "pipes", stdin: params.pipeStdin ? "pipe" : "empty" },
  };
}

function nativePath(member: string, uri: PathUri): string {
  try {
    return hostPath(uri);
  } catch (error) {
    if (error instanceof PathUriError) throw invalidParams(`\`${member}\`: ${error.message}`);
    throw error;
  }
}

/** What is asked to be enclosed never runs bare. */
function enclosingStarter(intent: SandboxIntent, home: string | undefined): ChildStarter {
  return async (command, observer) => {
    const { startEnclosed } = await import("../../sandbox/start_enclosed.ts");
    return await startEnclosed(intent, home, command, observer);
  };
}
