import { type Connector, connectorFor } from "../client/connector.ts";
import { configureLog } from "../log/log.ts";
import { type ClientTransport, ConnectionError } from "../transport/client_transport.ts";
import { type SilenceError, untilSilent, withHeartbeat } from "../transport/heartbeat.ts";
import { type ClientStreams, relay } from "../transport/relay.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import { readToken } from "./secret_file.ts";
import { checkOptions, HELP_OPTION, optionMilliseconds } from "./setting_options.ts";
import { print, say, standardInput, standardOutput } from "./standard_streams.ts";
import { SSH_OPTIONS, sshOptions, UPLOAD_TIMEOUT_MS } from "./executor_options.ts";
import { UsageError } from "./usage_error.ts";
import { parseArgs } from "node:util";
import { OUT_OF_REACH } from "./exit_codes.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const SILENCE_LIMIT_MS = 15_000;
/** A side that should be heard so often is taken for gone after so many times as long. */
const MISSED_BEATS = 3;
/** A day. */
const LONGEST_BEAT_MS = 86_400_000;

const OPTIONS = {
  ...SSH_OPTIONS,
  "token-file": {
    type: "string",
    placeholder: "FILE",
    meaning: "file with the token that the executor requires",
  },
  spawn: {
    type: "string",
    placeholder: "SECONDS",
    meaning:
      "where nothing listens at unix:PATH, start an executor there, which ends once it has " +
      "been idle for so long",
  },
  heartbeat: {
    type: "string",
    placeholder: "SECONDS",
    meaning: "send an empty line when there was nothing else for so long, and take a client that " +
      "does not do the same for gone (default: neither)",
  },
  ...HELP_OPTION,
} as const;

/** What is told of `remex bridge`. */
export const BRIDGE_MANUAL: CommandManual = {
  synopsis: "bridge [options] (unix:PATH | ws://HOST:PORT | wss://HOST | --ssh HOST)",
  description:
    `Connects standard input and output, with a message a line, to an executor that listens on a socket
or is on a host that ssh leads to. Whatever starts a program and talks to it can so reach the
executor.`,
  options: optionsHelp(OPTIONS),
  operands: { kind: "words", words: ["unix:", "ws://", "wss://"] },
  notes: () =>
    "The exit code is 0 when standard input has ended, 255 if the executor is out of reach or was\n" +
    "lost, or the client is gone (--heartbeat).\n",
};

/** `remex bridge`: standard input and output as a connection to an executor. Returns the exit code. */
export async function bridge(args: string[]): Promise<number> {
  const values = parse(args);
  if (values.help) {
    await print(usageText(BRIDGE_MANUAL));
    return 0;
  }
  configureLog({ level: "warn", format: "text" });
  const { connect, beatMs } = await bridgeOptions(values, args);
  try {
    const timeoutMs = values.ssh === undefined ? CONNECT_TIMEOUT_MS : UPLOAD_TIMEOUT_MS;
    const executor = await connect(AbortSignal.timeout(timeoutMs));
    let silence: ConnectionError | undefined;
    const streams = standardStreams(beatMs, ({ message }) => {
      const words = `the client is gone: ${message}, not even an empty line (--heartbeat)`;
      silence = new ConnectionError("lost", words);
    });
    const lost = await relay(streams, executor) ?? silence;
    if (lost === undefined) return 0;
    throw lost;
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    say(error.message);
    return OUT_OF_REACH;
  }
}

interface BridgeOptions {
  readonly connect: (signal: AbortSignal) => Promise<ClientTransport>;
  /** In milliseconds. */
  readonly beatMs: number | undefined;
}

/** @throws {UsageError} */
async function bridgeOptions(
  values: ReturnType<typeof parse>,
  args: string[],
): Promise<BridgeOptions> {
  const beatMs = optionMilliseconds("--heartbeat", values.heartbeat, LONGEST_BEAT_MS);
  const { "token-file": tokenFile, spawn } = values;
  const ssh = sshOptions(values);
  const [address, ...more] =
    parseArgs({ args, options: OPTIONS, allowPositionals: true }).positionals;
  if (
    ssh !== undefined && address === undefined && tokenFile === undefined && spawn === undefined
  ) {
    const { SshConnector } = await import("../ssh/ssh_connector.ts");
    const connector = new SshConnector(ssh);
    return { connect: (signal) => connector.connect(signal), beatMs };
  }
  if (address === undefined || ssh !== undefined || more.length > 0) {
    throw new UsageError("give one address: unix:PATH, ws://HOST:PORT, wss://HOST or --ssh HOST");
  }
  const token = tokenFile === undefined
    ? undefined
    : await readToken({ path: tokenFile, setting: "--token-file" });
  const connector = connectorTo(address, token);
  if (spawn === undefined) return { connect: (signal) => connector.connect(signal), beatMs };
  const idleSeconds = (optionMilliseconds("--spawn", spawn) ?? 0) / 1000;
  if (!address.startsWith("unix:")) throw new UsageError("--spawn is of use with unix:PATH only");
  const { reachOrStart } = await import("./bridge_executor.ts");
  const path = address.slice("unix:".length);
  return {
    connect: (signal) => reachOrStart({ path, idleSeconds, connector, signal }),
    beatMs,
  };
}

function parse(args: string[]) {
  checkOptions("bridge", args.filter((arg) => !isAddress(arg)), OPTIONS, "; it is no address");
  return parseArgs({ args, options: OPTIONS, allowPositionals: true }).values;
}

function isAddress(argument: string): boolean {
  return /^(unix:|wss?:\/\/)/.test(argument);
}

function connectorTo(address: string, token: string | undefined): Connector {
  try {
    return connectorFor(address, { token, caCerts: undefined, silenceLimitMs: SILENCE_LIMIT_MS });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

function standardStreams(
  beatMs: number | undefined,
  silent: (error: SilenceError) => void,
): ClientStreams {
  const streams = { input: ReadableStream.from(standardInput()), output: standardOutput() };
  if (beatMs === undefined) return streams;
  return {
    input: untilSilent(streams.input, beatMs * MISSED_BEATS, silent),
    output: withHeartbeat(streams.output, beatMs),
  };
}
