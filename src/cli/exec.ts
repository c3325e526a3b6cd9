import {
  ConnectionError,
  type Endpoint,
  type ExecProcess,
  ExecServerClient,
  ProcessError,
  type TerminalSize,
} from "../client/mod.ts";
import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../log/log.ts";
import { startingEnvironment } from "../os/environment.ts";
import { RpcError } from "../protocol/errors.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { startFailure } from "../protocol/process.ts";
import { usageText } from "./command_manual.ts";
import { forwardInput, forwardOutput } from "./exec_input.ts";
import { EXEC_MANUAL, type ExecOptions, parseExecArguments } from "./exec_options.ts";
import { describeNetwork, proxyFor } from "./exec_network.ts";
import { hasOwnLoopback, sandboxIntent } from "./exec_sandbox.ts";
import { ForwardedSignals, GivenUp } from "./exec_signals.ts";
import { LocalTerminal } from "./exec_terminal.ts";
import { ownCommand } from "../own_program.ts";
import { readText, readToken } from "./secret_file.ts";
import { OUTPUT_CLOSED, OutputClosed, print } from "./standard_output.ts";
import { UsageError } from "./usage_error.ts";
import { deadline } from "@std/async/deadline";

/** The exit code when the executor cannot be reached or was lost, as of ssh(1). */
const OUT_OF_REACH = 255;
/** The exit codes of commands that cannot be started, as in shells (POSIX, XCU 2.8.2). */
const NOT_FOUND = 127;
const NOT_STARTED = 126;
/** The exit code when this program fails and not the command, as of timeout(1) and env(1). */
const FAILED_HERE = 125;
/** Its number is the same on every Unix system. */
const ENOENT = 2;
/** How long closing may take after the user has stopped waiting, in milliseconds. */
const FAREWELL_MS = 1000;
/** How long it may take to put this program onto a host, in milliseconds. */
const UPLOAD_TIMEOUT_MS = 3_600_000;
/** How long an own executor may take to end after the grace, in milliseconds. */
const EXECUTOR_END_MS = 5000;

/** `remex exec`: runs a command on an executor. Returns its exit code. */
export async function exec(args: string[]): Promise<number> {
  const given = parseExecArguments(args);
  if (typeof given === "string") {
    await print(usageText(EXEC_MANUAL, given));
    return 0;
  }
  const { configuration } = await loadConfiguration(given);
  const options = given.options(configuration);
  if (options.network !== undefined) await proxyFor(options.network, false);
  configureLog(options.log);
  using terminal = new LocalTerminal();
  using signals = new ForwardedSignals();
  try {
    return await run(options, terminal, signals);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    terminal.restore();
    return explain(error, (message) => terminal.say(message));
  }
}

async function run(
  options: ExecOptions,
  terminal: LocalTerminal,
  signals: ForwardedSignals,
): Promise<number> {
  const endpoint = await endpointOf(options);
  const client = await signals.orGivenUp(connect(endpoint, options, terminal));
  try {
    const size = options.tty ? terminal.size : undefined;
    const process = await signals.orGivenUp(start(client, options, terminal, size));
    const connected = () => client.state === "connected";
    signals.forwardTo({ process, connected, graceMs: options.graceMs });
    if (options.tty) terminal.follow(process, size);
    const say = (text: string) => terminal.say(text);
    if (options.stdin) {
      const { tty, escape } = options;
      const giveUp = (reason: GivenUp) => signals.giveUp(reason);
      forwardInput(process, { tty, escape, say, connected, giveUp });
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
    await (error instanceof GivenUp ? deadline(closed, FAREWELL_MS).catch(() => {}) : closed);
    throw error;
  }
}

async function endpointOf(
  { executor, configFile, graceMs, connectTimeoutMs }: ExecOptions,
): Promise<Endpoint> {
  if (executor.kind === "url") return executor.url;
  if (executor.kind === "ssh") {
    const { SshConnector } = await import("../ssh/ssh_connector.ts");
    const connectTimeout = connectTimeoutMs / 1000;
    return new SshConnector({ ...executor.options, connectTimeout });
  }
  if (executor.kind === "via") return throughCommand(executor.command);
  const [program, ...args] = ownCommand();
  const config = configFile === undefined ? [] : ["--config", configFile];
  const grace = ["--grace", String(graceMs / 1000)];
  return {
    command: [program, ...args, "serve", "--listen", "stdio", ...grace, ...config],
    endMs: graceMs + EXECUTOR_END_MS,
  };
}

/** A command for the shell; run again it may lead to the same executor. */
function throughCommand(command: string): Endpoint {
  const shell = Deno.build.os === "windows" ? ["cmd", "/c"] as const : ["/bin/sh", "-c"] as const;
  return { command: [...shell, command], name: command, resumable: true };
}

async function connect(
  endpoint: Endpoint,
  { executor, connectTimeoutMs, reconnectTimeoutMs }: ExecOptions,
  terminal: LocalTerminal,
): Promise<ExecServerClient> {
  const tokenFile = executor.kind === "url" ? executor.tokenFile : undefined;
  const caCerts = await trustedCertificates(endpoint);
  try {
    return await ExecServerClient.connect(endpoint, {
      pipelined: true,
      connectTimeoutMs: executor.kind === "ssh" ? UPLOAD_TIMEOUT_MS : connectTimeoutMs,
      recoveryTimeoutMs: reconnectTimeoutMs,
      slowConsumer: "wait",
      onInterrupted: ({ message }) => terminal.say(`${message}; reconnecting`),
      ...tokenFile === undefined ? {} : { token: await readToken(tokenFile) },
      ...caCerts === undefined ? {} : { caCerts },
    });
  } catch (error) {
    if (error instanceof TypeError && executor.kind === "url") {
      throw new UsageError(`${executor.setting}: ${error.message}`);
    }
    if (error instanceof ConnectionError) {
      const hint = connectHint(error, { tokenGiven: tokenFile !== undefined });
      throw new ConnectionError(error.code, error.message + hint, { cause: error });
    }
    throw error;
  }
}

/** The file that SSL_CERT_FILE names holds certificates to be trusted besides the usual ones. */
async function trustedCertificates(endpoint: Endpoint): Promise<string[] | undefined> {
  const path = startingEnvironment().SSL_CERT_FILE;
  if (path === undefined || path === "" || !String(endpoint).startsWith("wss:")) return undefined;
  return [await readText({ setting: "SSL_CERT_FILE", path })];
}

async function start(
  client: ExecServerClient,
  options: ExecOptions,
  terminal: LocalTerminal,
  size: TerminalSize | undefined,
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
    ...timeoutMs === undefined ? {} : { timeoutMs },
    ...size === undefined ? {} : { terminalSize: size },
    ...intent === undefined ? {} : { sandbox: intent },
    // Executors that do not know the proxy then leave no network at all.
    ...network === undefined ? {} : {
      enforceManagedNetwork: true,
      networkProxy: await proxyFor(network, hasOwnLoopback(intent)),
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

/** A fix to append to the message of an executor that cannot be reached. */
function connectHint(
  { obstacle }: ConnectionError,
  { tokenGiven }: { readonly tokenGiven: boolean },
): string {
  switch (obstacle) {
    case "token":
      return tokenGiven ? "" : "; give it with --token-file";
    case "tls":
      return "; SSL_CERT_FILE can name a file of certificates to trust besides the usual ones, a " +
        "self-signed one needs basicConstraints=CA:FALSE, and an executor without a certificate " +
        "has a URL with ws:// instead of wss://";
    case "notHttp":
      return "; it may be encrypted: wss:// instead of ws://";
    case undefined:
      return "";
  }
}
