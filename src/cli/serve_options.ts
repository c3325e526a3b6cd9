import { parseArgs } from "node:util";
import { DEFAULT_RETAINED_BYTES } from "../process/event_log.ts";
import { isLoopback, type ListenAddress, parseListenAddress } from "../transport/listen_address.ts";
import { UsageError } from "./usage_error.ts";

/** What `remex serve` was asked to do. */
export interface ServeOptions {
  readonly listen: ListenAddress;
  /** How long commands have to end once the executor was told to, in milliseconds. */
  readonly graceMs: number;
  readonly exitOnStdinClose: boolean;
  /** Output kept of each process, in bytes. */
  readonly retainedBytes: number;
}

/** One chunk of output has to fit. */
const MIN_RETAINED_BYTES = 256 * 1024;
const MAX_RETAINED_BYTES = 256 * 1024 * 1024;

export const SERVE_USAGE = `usage: remex serve [options]

Runs commands for a client that speaks the exec-server protocol.

  --listen ADDRESS        ws://HOST:PORT, unix:PATH or stdio (default ws://127.0.0.1:0)
  --insecure-no-auth      listen beyond this machine though anyone could run commands then
  --grace SECONDS         time for commands to end at shutdown before they are killed (default 5)
  --retain-bytes N        output kept of each process for clients that lost their connection
                          (default 1048576, at most 268435456); all processes together keep 512 MiB
                          more than the default at the most
  --exit-on-stdin-close   shut down when standard input ends
  --help                  this text

The URL to connect to is the first line on standard output; logs go to standard error, as much as
REMEX_LOG (error, warn, info, debug) asks for.
`;

/** Reads the command line of `remex serve`. @throws {UsageError} naming the culprit and the fix */
export function parseServeOptions(args: string[]): ServeOptions | "help" {
  const { values } = parse(args);
  if (values.help) return "help";
  const listen = listenAddress(values.listen);
  if (
    listen.kind === "websocket" && !isLoopback(listen.hostname) && !values["insecure-no-auth"]
  ) {
    throw new UsageError(
      `refusing to listen on ${listen.hostname} without authentication: anyone who can reach it ` +
        "could run commands; use a loopback address or unix:PATH, or give --insecure-no-auth",
    );
  }
  return {
    listen,
    graceMs: graceMs(values.grace),
    exitOnStdinClose: values["exit-on-stdin-close"],
    retainedBytes: retainedBytes(values["retain-bytes"]),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        listen: { type: "string", default: "ws://127.0.0.1:0" },
        "insecure-no-auth": { type: "boolean", default: false },
        grace: { type: "string", default: "5" },
        "retain-bytes": { type: "string", default: String(DEFAULT_RETAINED_BYTES) },
        "exit-on-stdin-close": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function listenAddress(text: string): ListenAddress {
  try {
    return parseListenAddress(text);
  } catch (error) {
    throw new UsageError(`--listen: ${error instanceof Error ? error.message : error}`);
  }
}

function graceMs(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds < 0) {
    throw new UsageError(`--grace: \`${text}\` is not a number of seconds`);
  }
  return seconds * 1000;
}

function retainedBytes(text: string): number {
  const bytes = /^\d+$/.test(text) ? Number(text) : NaN;
  if (bytes >= MIN_RETAINED_BYTES && bytes <= MAX_RETAINED_BYTES) return bytes;
  throw new UsageError(
    `--retain-bytes: \`${text}\` is not a number from ${MIN_RETAINED_BYTES} to ${MAX_RETAINED_BYTES}`,
  );
}
