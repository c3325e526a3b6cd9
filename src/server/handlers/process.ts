import { hostPath } from "../../filesystem/named.ts";
import type { Environment } from "../../os/environment.ts";
import { type ChildCommand, StartError } from "../../process/child.ts";
import { DEFAULT_GRACE_MS } from "../../process/deadline.ts";
import { commandEnvironment } from "../../process/environment.ts";
import type { ChildStarter, Process } from "../../process/process.ts";
import { internalError, invalidParams, invalidRequest } from "../../protocol/errors.ts";
import { methods, type ResultInput } from "../../protocol/methods.ts";
import { type PathUri, PathUriError } from "../../protocol/path_uri.ts";
import type { NetworkProxyParams } from "../../protocol/network_proxy.ts";
import type { ReadParams, StartParams, WriteParams } from "../../protocol/process.ts";
import type { SandboxBounds } from "../../sandbox/policy/bounds.ts";
import type { ReservedResources } from "../../sandbox/policy/reserved.ts";
import { type Policy, requiresSandbox } from "../../sandbox/policy/policy.ts";
import { Sandbox } from "../../sandbox/sandbox.ts";
import { NO_TELEMETRY, type Telemetry } from "../../telemetry/telemetry.ts";
import type { LaunchedEgress } from "../launch_egress.ts";
import { handler, type RequestHandler } from "../request_handler.ts";
import type { Session, StartOptions } from "../session.ts";

/** The size of a pseudo-terminal unless the client gives one. */
const INITIAL_TERMINAL_SIZE = { rows: 24, cols: 80 };

const NO_END_OF_INPUT = "a terminal has no end of input; write Ctrl-D (0x04) instead";

/** What whoever runs the executor decides about sandboxes. */
export interface SandboxDemands {
  /** What they have to be. @default anything */
  readonly bounds?: SandboxBounds | undefined;
  /** What sandboxes commands. @default one of its own */
  readonly sandbox?: Sandbox;
  /** Who takes down what their proxies decide. @default nobody */
  readonly telemetry?: Telemetry;
  /** What none may have, once that is known. @default nothing */
  readonly reserved?: (() => ReservedResources) | undefined;
}

/**
 * Handlers of all process/* requests.
 *
 * @param graceMs how long a command has to end once its time is up, in milliseconds
 */
export function processHandlers(
  environment: () => Environment,
  sandboxes: SandboxDemands = {},
  graceMs: number = DEFAULT_GRACE_MS,
): Record<string, RequestHandler> {
  const { sandbox = new Sandbox() } = sandboxes;
  return {
    "process/start": handler(
      methods["process/start"],
      (params, { session }) => {
        const { reserved, telemetry = NO_TELEMETRY, ...demands } = sandboxes;
        return start(params, {
          ...demands,
          sandbox,
          session,
          telemetry,
          graceMs,
          reserved: reserved?.(),
          environment: environment(),
        });
      },
    ),
    "process/read": handler(
      methods["process/read"],
      (params, { sessionOf, signal }) => read(params, sessionOf(params.sessionId), signal),
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
      ({ processId, signal, sessionId }, { sessionOf }) =>
        whenStarted(sessionOf(sessionId), processId, (process) => {
          process?.signal(signal);
          return {};
        }),
    ),

    "process/terminate": handler(
      methods["process/terminate"],
      ({ processId, sessionId }, { sessionOf }) => {
        const running = sessionOf(sessionId).terminate(processId);
        return running instanceof Promise ? running.then((running) => ({ running })) : { running };
      },
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

interface StartContext {
  readonly session: Session;
  readonly bounds?: SandboxBounds | undefined;
  readonly sandbox: Sandbox;
  readonly reserved: ReservedResources | undefined;
  readonly telemetry: Telemetry;
  /** How long a command has to end once its time is up, in milliseconds. */
  readonly graceMs: number;
  readonly environment: Environment;
}

async function start(
  params: StartParams,
  context: StartContext,
): Promise<ResultInput<"process/start">> {
  const { processId, networkProxy, timeoutMs } = params;
  const sandboxed = networkProxy !== undefined ||
    requiresSandbox({ ...params, bounds: context.bounds });
  const sandboxedStart = sandboxed ? sandboxedStarter(params, context) : undefined;
  try {
    const command = commandOf(params, context.environment);
    const process = await context.session.start(processId, command, {
      starter: shellStarter(params, context, sandboxedStart),
      sandbox: params.sandbox,
      timeLimit: timeoutMs === undefined
        ? undefined
        : { timeMs: timeoutMs, graceMs: context.graceMs },
    });
    return { processId, sandboxType: process.sandboxType };
  } catch (error) {
    if (error instanceof StartError) throw internalError(error.message, error, error.failure);
    throw error;
  }
}

async function launch(
  { processId, managedNetwork, sandbox }: StartParams,
  networkProxy: NetworkProxyParams,
  context: StartContext,
): Promise<LaunchedEgress> {
  if ((managedNetwork?.loopbackPorts.length ?? 0) > 0) {
    throw invalidParams("`networkProxy` and `managedNetwork` are two networks; give one of them");
  }
  const { launchEgress } = await import("../launch_egress.ts");
  const permissions = sandbox?.permissions;
  const privateLoopback = permissions?.type === "managed" && permissions.loopback === "private";
  return await launchEgress(networkProxy, { processId, privateLoopback, ...context });
}

/** Answers without a wait if it can, so that saturation of the connection is noticed in time. */
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
 * Calls a function with a process, at once or when it has started: a client may send requests for a
 * process before its start has been answered.
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

/** The command that the client asks for, with native paths and its environment. */
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

/** How long a shell's startup files may take, in milliseconds, before each command runs them. */
const STARTUP_PATIENCE_MS = 10_000;
/** Bytes that a shell may tell of its state. */
const MAX_STATE_BYTES = 4 * 1024 * 1024;

/** Starts a shell where its startup files end, if the client wants that. */
function shellStarter(
  params: StartParams,
  { session }: StartContext,
  sandboxedStart: ChildStarter | undefined,
): StartOptions["starter"] {
  const { shellSnapshot, networkProxy, env, envPolicy } = params;
  // The files would run with a proxy of their own, and tell of it.
  if (shellSnapshot === undefined || networkProxy !== undefined) {
    return sandboxedStart && (() => sandboxedStart);
  }
  const start = sandboxedStart ?? session.startChild;
  const { sandbox, enforceManagedNetwork, managedNetwork } = params;
  const key = JSON.stringify([envPolicy, sandbox, enforceManagedNetwork, managedNetwork]);
  const limits = { patienceMs: STARTUP_PATIENCE_MS, maxBytes: MAX_STATE_BYTES };
  return (signal) => async (command, observer) => {
    const capture = (telling: ChildCommand) =>
      session.capture(telling, { ...limits, signal }, start);
    const request = { ...shellSnapshot, key, own: env, capture, signal };
    const restored = await session.shells.restored(command, request);
    session.requireOpen();
    return await start(restored, observer);
  };
}

/** Starts a command in its sandbox, and with its proxy, or not at all. */
function sandboxedStarter(params: StartParams, context: StartContext): ChildStarter {
  return async (command, observer) => {
    const { sandbox, session, bounds, reserved, environment } = context;
    const policy: Policy = { ...params, owner: session, bounds, reserved };
    const { HOME } = environment;
    if (params.networkProxy === undefined) {
      return await sandbox.start(policy, HOME, command, observer);
    }
    const launched = await launch(params, params.networkProxy, context);
    // As if the client had given the proxy's variables first.
    const env = { ...command.env, ...launched.environment, ...params.env };
    try {
      const { egress } = launched;
      return await sandbox.start({ ...policy, egress }, HOME, { ...command, env }, observer);
    } catch (error) {
      launched.egress[Symbol.dispose]();
      throw error;
    }
  };
}
