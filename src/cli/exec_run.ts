import { ENOENT } from "../os/constants.ts";
import {
  ConnectionError,
  type ExecProcess,
  type ExecServerClient,
  ProcessError,
  type TerminalSize,
} from "../client/mod.ts";
import { RpcError } from "../protocol/errors.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { startFailure } from "../protocol/process.ts";
import type { SshConnector } from "../ssh/ssh_connector.ts";
import { EscapeKeys } from "./escape_keys.ts";
import { forwardInput, forwardOutput } from "./exec_input.ts";
import { describeNetwork, proxyRequest } from "./exec_network.ts";
import type { ExecOptions } from "./exec_options.ts";
import { sandboxIntent } from "./exec_sandbox.ts";
import { type ForwardedSignals, GivenUp } from "./exec_signals.ts";
import { LocalTerminal } from "./exec_terminal.ts";
import { OUT_OF_REACH } from "./exit_codes.ts";
import { farewell, reachExecutor } from "./reach_executor.ts";
import { OUTPUT_CLOSED, OutputClosed } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";

/** The exit codes of commands that cannot be started, as in shells (POSIX, XCU 2.8.2). */
const NOT_FOUND = 127;
const NOT_STARTED = 126;
/** The exit code when this program fails and not the command, as of timeout(1) and env(1). */
const FAILED_HERE = 125;

/**
 * Runs a command on an executor, and is its terminal meanwhile. Returns the exit code of `remex exec`.
 *
 * @param ssh what has begun to reach the executor already
 */
export async function runCommand(
  options: ExecOptions,
  signals: ForwardedSignals,
  ssh: SshConnector | undefined,
): Promise<number> {
  using terminal = new LocalTerminal();
  try {
    return await run(options, ssh, terminal, signals);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    terminal.restore();
    return explain(error, (message) => terminal.say(message));
  }
}

async function run(
  options: ExecOptions,
  ssh: SshConnector | undefined,
  terminal: LocalTerminal,
  signals: ForwardedSignals,
): Promise<number> {
  const say = (text: string) => terminal.say(text);
  const { job } = options;
  const jobs = job && await import("./exec_detach.ts");
  const asked = job && jobs?.jobRetention(job);
  const { signal } = signals;
  const reached = await signals.orGivenUp(
    reachExecutor(options.executor, {
      ...options,
      ssh,
      say,
      signal,
      ...asked && { client: asked },
    }),
  );
  const { client } = reached;
  try {
    const size = options.tty ? terminal.size : undefined;
    if (job !== undefined && jobs !== undefined) {
      const startAs = (processId: string) => start(client, options, terminal, size, processId);
      await jobs.startJob({ reached, options: { ...options, job }, signals, say, start: startAs });
      return 0;
    }
    const connected = () => client.state === "connected";
    const process = await signals.started(
      start(client, options, terminal, size),
      { connected, graceMs: options.graceMs },
    );
    if (options.tty) terminal.follow(process, size);
    if (options.stdin) {
      const { tty } = options;
      const keys = options.escape ? new EscapeKeys() : undefined;
      const giveUp = (reason: GivenUp) => signals.giveUp(reason);
      forwardInput(process, { tty, keys, say, connected, giveUp });
    }
    const exitCode = await signals.orGivenUp(
      forwardOutput(process, signals, options.until, say),
    );
    if (options.reportNetwork) {
      const completion = await signals.orGivenUp(process.completion);
      for (const line of describeNetwork(completion)) terminal.say(line);
    }
    await signals.orGivenUp(client.close());
    return exitCode;
  } catch (error) {
    // An executor that hangs does not delay a user who has stopped waiting.
    const closed = client.close();
    await (error instanceof GivenUp ? farewell(closed) : closed);
    throw error;
  }
}

async function start(
  client: ExecServerClient,
  options: ExecOptions,
  terminal: LocalTerminal,
  size: TerminalSize | undefined,
  processId?: string,
): Promise<ExecProcess> {
  const cwd = options.cwd ?? await executorsDirectory(client);
  const { sandbox, workspaces, network, tty, timeoutMs } = options;
  if (timeoutMs !== undefined) await requireTimeouts(client);
  const intent = sandbox && await sandboxIntent(sandbox, cwd, workspaces);
  return await client.start({
    argv: [...options.command],
    cwd,
    env: { ...directoryVariable(cwd), ...tty ? terminal.environment : {}, ...options.env },
    envPolicy: {
      inherit: "all",
      ignoreDefaultExcludes: false,
      // The directory that the executor's shell was in before.
      exclude: ["OLDPWD"],
      set: {},
      includeOnly: [],
    },
    tty,
    pipeStdin: options.stdin && !tty,
    ...processId === undefined ? {} : { processId },
    ...timeoutMs === undefined ? {} : { timeoutMs },
    ...size === undefined ? {} : { terminalSize: size },
    ...intent === undefined ? {} : { sandbox: intent },
    // Executors that do not know the proxy then leave no network at all.
    ...network === undefined ? {} : {
      enforceManagedNetwork: true,
      networkProxy: await proxyRequest(network),
    },
  });
}

/** An executor that does not know of time limits would let the command run on. */
async function requireTimeouts(client: ExecServerClient): Promise<void> {
  const { environmentInfo } = await client.opened;
  if (environmentInfo?.capabilities?.processTimeout === true) return;
  throw new UsageError("--timeout: this executor cannot limit how long a command runs");
}

/** PWD for the command's directory: the executor's own would be wrong (POSIX, XBD 8.3). */
function directoryVariable(cwd: PathUri): Record<string, string> {
  if (cwd.convention !== "posix") return {};
  const bytes = cwd.toNativeBytes("posix");
  try {
    return { PWD: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    // Without PWD a shell finds its directory by itself.
    return {};
  }
}

async function executorsDirectory(client: ExecServerClient): Promise<PathUri> {
  const cwd = await client.executorCwd();
  if (cwd === undefined) {
    throw new UsageError("this executor does not tell its working directory; use --cwd");
  }
  return cwd;
}

/** Prints what went wrong. Returns the exit code. */
function explain(error: unknown, say: (message: string) => void): number {
  if (error instanceof GivenUp) return error.exitCode;
  if (error instanceof OutputClosed) return OUTPUT_CLOSED;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RpcError) {
    const failure = startFailure.safeParse(error.data).data;
    const ofDirectory = failure?.culprit === "workingDirectory";
    say(ofDirectory ? `the working directory ${message}` : message);
    return !ofDirectory && failure?.errno === ENOENT ? NOT_FOUND : NOT_STARTED;
  }
  say(message);
  if (error instanceof ConnectionError || error instanceof ProcessError) return OUT_OF_REACH;
  return FAILED_HERE;
}
