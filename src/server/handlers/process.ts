import { type ChildCommand, StartError } from "../../process/child.ts";
import { commandEnvironment, type Environment } from "../../process/environment.ts";
import { internalError, invalidParams, invalidRequest } from "../../protocol/errors.ts";
import { methods, type ResultInput } from "../../protocol/methods.ts";
import { type PathUri, PathUriError } from "../../protocol/path_uri.ts";
import type { ReadParams, StartParams, WriteParams } from "../../protocol/process.ts";
import { requiresSandbox } from "../../sandbox/requires_sandbox.ts";
import { handler, type RequestHandler } from "../request_handler.ts";
import type { Session } from "../session.ts";

/** The size of a pseudo-terminal until its client says otherwise. */
const INITIAL_TERMINAL_SIZE = { rows: 24, cols: 80 };

/** Handlers of all process/* requests. */
export function processHandlers(environment: () => Environment): Record<string, RequestHandler> {
  return {
    "process/start": handler(
      methods["process/start"],
      (params, { session }) => start(params, session, environment()),
    ),
    "process/read": handler(
      methods["process/read"],
      (params, { session, signal }) => read(params, session, signal),
    ),
    "process/write": handler(
      methods["process/write"],
      (params, { session }) => write(params, session),
    ),

    "process/signal": handler(methods["process/signal"], ({ processId }, { session }) => {
      const process = session.find(processId);
      if (process !== undefined && process !== "starting") process.interrupt();
      return {};
    }),

    "process/terminate": handler(methods["process/terminate"], ({ processId }, { session }) => {
      const process = session.find(processId);
      if (process === undefined || process === "starting") return { running: false };
      return { running: process.terminate() };
    }),

    "process/resize": handler(methods["process/resize"], (params, { session }) => {
      const process = session.find(params.processId);
      if (process === undefined) throw invalidRequest(`unknown process id ${params.processId}`);
      if (process !== "starting") process.resize(params);
      return {};
    }),
  };
}

async function start(
  params: StartParams,
  session: Session,
  environment: Environment,
): Promise<ResultInput<"process/start">> {
  const command = commandOf(params, environment);
  refuseSandbox(params);
  try {
    await session.start(params.processId, command);
  } catch (error) {
    if (error instanceof StartError) throw internalError(error.message, error);
    throw error;
  }
  return { processId: params.processId, sandboxType: "none" };
}

/** Answers at once if it can: answers that pile up unseen could not be held back. */
function read(
  params: ReadParams,
  session: Session,
  signal: AbortSignal,
): ResultInput<"process/read"> | Promise<ResultInput<"process/read">> {
  const process = session.find(params.processId);
  if (process === undefined) throw invalidRequest(`unknown process id ${params.processId}`);
  if (process === "starting") throw invalidRequest(`process ${params.processId} is starting`);
  const { log } = process;
  if (params.waitMs === 0 || log.hasNews(params.afterSeq)) return log.read(params);
  return log.waitForNews(params.afterSeq, params.waitMs, signal).then(() => log.read(params));
}

async function write(
  params: WriteParams,
  session: Session,
): Promise<ResultInput<"process/write">> {
  const process = session.find(params.processId);
  if (process === undefined) return { status: "unknownProcess" };
  if (process === "starting") return { status: "starting" };
  return { status: await process.write(params.chunk, params.writeId) };
}

/** The operating system's terms for what the client asks. */
function commandOf(params: StartParams, environment: Environment): ChildCommand {
  return {
    argv: params.argv,
    arg0: params.arg0,
    cwd: nativePath("cwd", params.cwd),
    env: commandEnvironment(params.env, params.envPolicy, environment),
    stdio: params.tty
      ? { kind: "pty", size: INITIAL_TERMINAL_SIZE }
      : { kind: "pipes", stdin: params.pipeStdin ? "pipe" : "empty" },
  };
}

function nativePath(member: string, uri: PathUri): string {
  try {
    return uri.toNativePath();
  } catch (error) {
    if (error instanceof PathUriError) throw invalidParams(`\`${member}\`: ${error.message}`);
    throw error;
  }
}

/** What was asked to be enclosed never runs bare. */
function refuseSandbox(params: StartParams): void {
  if (requiresSandbox(params)) {
    throw internalError("this executor cannot enforce a sandbox; the command was not started");
  }
}
