import { ErrorCode, RpcError } from "../protocol/errors.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import {
  ConnectionError,
  type Endpoint,
  type ExecProcess,
  ExecServerClient,
  ProcessError,
} from "../client/mod.ts";
import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../telemetry/log.ts";
import { connectHint } from "./connect_hint.ts";
import { forwardInput } from "./exec_input.ts";
import { type ExecOptions, execUsage, parseExecArguments } from "./exec_options.ts";
import { forwardOutput } from "./exec_output.ts";
import { describeNetwork, proxyFor } from "./exec_network.ts";
import { hasOwnLoopback, sandboxIntent } from "./exec_sandbox.ts";
import { ForwardedSignals, GivenUp } from "./exec_signals.ts";
import { LocalTerminal } from "./exec_terminal.ts";
import { readText, readToken } from "./secret_file.ts";
import { OUTPUT_CLOSED, OutputClosed, print } from "./standard_output.ts";
import { UsageError } from "./usage_error.ts";

/** The executor is out of reach, or was lost; ssh(1) has the same. */
const OUT_OF_REACH = 255;
/** As shells have it (POSIX, Shell Command Language, 2.8.2). */
const NOT_FOUND = 127;
const NOT_STARTED = 126;

/** `remex exec`: runs a command on an executor. Returns its exit code. */
export async function exec(args: string[]): Promise<number> {
  const given = parseExecArguments(args);
  if (given === "help") {
    await print(execUsage());
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
  const endpoint = endpointOf(options);
  const client = await signals.orGivenUp(connect(endpoint, options, terminal));
  try {
    const process = await signals.orGivenUp(start(client, options, terminal));
    signals.forwardTo(process);
    if (options.tty) terminal.follow(process);
    if (options.stdin) {
      const giveUp = (reason: GivenUp) => client.state !== "connected" && signals.giveUp(reason);
      forwardInput(process, { tty: options.tty, say: (text) => terminal.say(text), giveUp });
    }
    const exitCode = await signals.orGivenUp(forwardOutput(process, signals));
    if (options.reportNetwork) {
      for (const line of describeNetwork(await process.completion)) terminal.say(line);
    }
    return exitCode;
  } finally {
    await client.close();
  }
}

function endpointOf({ executor, configFile }: ExecOptions): Endpoint {
  if (executor.kind === "url") return executor.url;
  const self = Deno.build.standalone
    ? [Deno.execPath()] as const
    : [Deno.execPath(), "run", "--allow-all", Deno.mainModule] as const;
  const [program, ...args] = self;
  const config = configFile === undefined ? [] : ["--config", configFile];
  return { command: [program, ...args, "serve", "--listen", "stdio", ...config] };
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
      connectTimeoutMs,
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
      throw new ConnectionError(error.code, error.message + connectHint(error), { cause: error });
    }
    throw error;
  }
}

/** The file that SSL_CERT_FILE names holds certificates to be trusted besides the usual ones. */
async function trustedCertificates(endpoint: Endpoint): Promise<string[] | undefined> {
  const path = Deno.env.get("SSL_CERT_FILE");
  if (path === undefined || path === "" || !String(endpoint).startsWith("wss:")) return undefined;
  return [await readText({ setting: "SSL_CERT_FILE", path })];
}

async function start(
  client: ExecServerClient,
  options: ExecOptions,
  terminal: LocalTerminal,
): Promise<ExecProcess> {
  const cwd = options.cwd ?? await executorsDirectory(client);
  const { sandbox, workspaces, network, tty } = options;
  const intent = sandbox && await sandboxIntent(sandbox, cwd, workspaces);
  const size = tty ? terminal.size : undefined;
  return await client.start({
    argv: [...options.command],
    cwd,
    env: { ...tty ? terminal.environment : {}, ...options.env },
    envPolicy: {
      inherit: "all",
      ignoreDefaultExcludes: false,
      exclude: [],
      set: {},
      includeOnly: [],
    },
    tty,
    pipeStdin: options.stdin && !tty,
    ...size === undefined ? {} : { terminalSize: size },
    ...intent === undefined ? {} : { sandbox: intent },
    // Executors that do not know the proxy then leave no network at all.
    ...network === undefined ? {} : {
      enforceManagedNetwork: true,
      networkProxy: await proxyFor(network, hasOwnLoopback(intent)),
    },
  });
}

async function executorsDirectory(client: ExecServerClient): Promise<PathUri> {
  const cwd = await client.executorCwd();
  if (cwd === undefined) throw new UsageError("this executor does not tell where it is; use --cwd");
  return cwd;
}

/** Tells people what went wrong, and the shell by an exit code. */
function explain(error: unknown, say: (message: string) => void): number {
  if (error instanceof GivenUp) return error.exitCode;
  if (error instanceof OutputClosed) return OUTPUT_CLOSED;
  const message = error instanceof Error ? error.message : String(error);
  say(message);
  if (error instanceof ConnectionError || error instanceof ProcessError) return OUT_OF_REACH;
  if (!(error instanceof RpcError) || error.code !== ErrorCode.Internal) return NOT_STARTED;
  // ENOENT is 2 on every Unix system, and executors pass on the system's words.
  return message.includes("(os error 2)") ? NOT_FOUND : NOT_STARTED;
}
