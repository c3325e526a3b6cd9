import { parseArgs } from "node:util";
import { DEFAULT_RETAINED_BYTES } from "../process/event_log.ts";
import { isLoopback, type ListenAddress, parseListenAddress } from "../transport/listen_address.ts";
import type { Limits } from "../server/limits.ts";
import {
  AUTHENTICATION_FLAGS,
  type AuthenticationOptions,
  authenticationOptions,
} from "./authentication_options.ts";
import { LIMIT_FLAGS, limitOptions } from "./limit_options.ts";
import { wholeNumber } from "./number_option.ts";
import type { TlsOptions } from "./tls_files.ts";
import { UsageError } from "./usage_error.ts";

/** What `remex serve` was asked to do. */
export interface ServeOptions {
  readonly listen: ListenAddress;
  /** How long commands have to end once the executor was told to, in milliseconds. */
  readonly graceMs: number;
  readonly exitOnStdinClose: boolean;
  /** Output kept of each process, in bytes. */
  readonly retainedBytes: number;
  readonly authentication: AuthenticationOptions;
  readonly tls: TlsOptions | undefined;
  readonly limits: Limits;
}

/** One chunk of output has to fit. */
const MIN_RETAINED_BYTES = 256 * 1024;
const MAX_RETAINED_BYTES = 256 * 1024 * 1024;

export const SERVE_USAGE = `usage: remex serve [options]

Runs commands for a client that speaks the exec-server protocol.

  --listen ADDRESS        ws://HOST:PORT, unix:PATH or stdio (default ws://127.0.0.1:0)
  --ws-auth MODE          let in only who sends \`Authorization: Bearer TOKEN\`; the mode is
                          capability-token or signed-bearer-token
  --ws-token-file PATH    capability-token: the file with the token
  --ws-token-sha256 HEX   capability-token: the token's SHA-256 digest
  --ws-shared-secret-file PATH
                          signed-bearer-token: the file with the secret, 32 bytes or more, that
                          JSON Web Tokens are signed with (HS256); they must expire
  --ws-issuer ISSUER      signed-bearer-token: who must have issued the token
  --ws-audience AUDIENCE  signed-bearer-token: whom the token must be meant for
  --ws-max-clock-skew-seconds N
                          signed-bearer-token: how far clocks may be apart (default 30)
  --insecure-no-auth      listen beyond this machine though anyone could run commands then
  --tls-cert PATH         certificate chain in PEM format; clients then connect to wss://…
  --tls-key PATH          the certificate's private key in PEM format
  --max-connections N     clients at the same time (default 1000); others get status 503
  --max-sessions N        sessions, connected or waiting for their client (default 10000)
  --max-processes N       running processes of all sessions together (default 5000)
  --concurrent-requests N
                          requests of a connection worked on at the same time (default 10000); more
                          wait for their turn
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
  const authentication = authenticationOptions(values);
  const insecure = values["insecure-no-auth"];
  refuseExposure(listen, authentication, insecure);
  if (listen.kind === "stdio" && authentication.kind !== "none") {
    throw new UsageError("--ws-auth has no effect with --listen stdio; leave one of them out");
  }
  return {
    listen,
    graceMs: graceMs(values.grace),
    exitOnStdinClose: values["exit-on-stdin-close"],
    retainedBytes: wholeNumber(
      "--retain-bytes",
      values["retain-bytes"],
      MIN_RETAINED_BYTES,
      MAX_RETAINED_BYTES,
    ),
    authentication,
    tls: tlsOptions(listen, values["tls-cert"], values["tls-key"]),
    limits: limitOptions(values),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        listen: { type: "string", default: "ws://127.0.0.1:0" },
        ...AUTHENTICATION_FLAGS,
        ...LIMIT_FLAGS,
        "tls-cert": { type: "string" },
        "tls-key": { type: "string" },
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

function refuseExposure(
  listen: ListenAddress,
  authentication: AuthenticationOptions,
  insecure: boolean,
): void {
  if (authentication.kind !== "none" && insecure) {
    throw new UsageError("--ws-auth and --insecure-no-auth contradict each other; give one");
  }
  if (listen.kind !== "websocket" || isLoopback(listen.hostname)) return;
  if (authentication.kind !== "none" || insecure) return;
  throw new UsageError(
    `refusing to listen on ${listen.hostname} without authentication: anyone who can reach it ` +
      "could run commands; give --ws-auth, use a loopback address or unix:PATH, or give " +
      "--insecure-no-auth",
  );
}

function tlsOptions(
  listen: ListenAddress,
  certPath: string | undefined,
  keyPath: string | undefined,
): TlsOptions | undefined {
  if (certPath === undefined && keyPath === undefined) return undefined;
  if (certPath === undefined) throw new UsageError("--tls-key needs --tls-cert");
  if (keyPath === undefined) throw new UsageError("--tls-cert needs --tls-key");
  if (listen.kind !== "websocket") {
    throw new UsageError("--tls-cert has no effect here: only ws://HOST:PORT can be encrypted");
  }
  return { certPath, keyPath };
}
