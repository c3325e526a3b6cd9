import {
  type ClientOptions,
  ConnectionError,
  type Endpoint,
  ExecServerClient,
} from "../client/mod.ts";
import { startingEnvironment } from "../os/environment.ts";
import { DEFAULT_GRACE_MS } from "../process/deadline.ts";
import type { SshConnector, SshOptions } from "../ssh/ssh_connector.ts";
import { type NamedFile, readText, readToken } from "./secret_file.ts";
import { ownCommand } from "../own_program.ts";
import { sshConnector, UPLOAD_TIMEOUT_MS } from "./executor_options.ts";
import { UsageError } from "./usage_error.ts";
import { deadline } from "@std/async/deadline";

/** The executor that a command line or a handle names. */
export type ExecutorChoice =
  | {
    readonly kind: "url";
    readonly url: string;
    /** What messages call the URL. */
    readonly setting: string;
    readonly tokenFile: NamedFile | undefined;
  }
  | { readonly kind: "stdio" }
  /** A command for the shell, which leads to an executor. */
  | { readonly kind: "via"; readonly command: string }
  | { readonly kind: "ssh"; readonly options: SshOptions };

/** How an executor is reached. All times are in milliseconds. */
export interface ReachOptions {
  readonly connectTimeoutMs: number;
  readonly reconnectTimeoutMs: number;
  /** For an executor of its own: how long commands get to end. */
  readonly graceMs?: number;
  /** For an executor of its own: the file of settings that `--config` names. */
  readonly configFile?: string | undefined;
  /** What reaches the host of `--ssh`, if ssh has been started already. */
  readonly ssh?: SshConnector | undefined;
  readonly say: (message: string) => void;
  /** Ends connecting. */
  readonly signal?: AbortSignal;
  /** More for the client. */
  readonly client?: ClientOptions;
}

/** An executor that has been reached. */
export interface ReachedExecutor {
  readonly client: ExecServerClient;
  /** What has reached it, if that was ssh. */
  readonly ssh: SshConnector | undefined;
}

/** How long an executor of its own may take to end after the grace, in milliseconds. */
const EXECUTOR_END_MS = 5000;

/**
 * Connects to an executor. Requests may follow at once.
 *
 * @throws {UsageError} for what cannot be an address or a token
 * @throws {ConnectionError} when it cannot be reached
 * @throws the signal's reason
 */
export async function reachExecutor(
  executor: ExecutorChoice,
  options: ReachOptions,
): Promise<ReachedExecutor> {
  const tokenFile = executor.kind === "url" ? executor.tokenFile : undefined;
  const { endpoint, ssh } = executor.kind === "ssh"
    ? await throughSsh(executor.options, options)
    : { endpoint: endpointOf(executor, options), ssh: undefined };
  const caCerts = await trustedCertificates(endpoint);
  try {
    const client = await ExecServerClient.connect(endpoint, {
      pipelined: true,
      connectTimeoutMs: waitsForPeople(executor) ? UPLOAD_TIMEOUT_MS : options.connectTimeoutMs,
      recoveryTimeoutMs: options.reconnectTimeoutMs,
      slowConsumer: "wait",
      onInterrupted: ({ message }) => options.say(`${message}; reconnecting`),
      ...tokenFile === undefined ? {} : { token: await readToken(tokenFile) },
      ...caCerts === undefined ? {} : { caCerts },
      ...options.signal === undefined ? {} : { signal: options.signal },
      ...options.client,
    });
    return { client, ssh };
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

/** Whether connecting may take as long as a passphrase or an upload. */
function waitsForPeople(executor: ExecutorChoice): boolean {
  return executor.kind === "ssh" && executor.options.interactive !== false;
}

async function throughSsh(
  options: SshOptions,
  { ssh, connectTimeoutMs }: ReachOptions,
): Promise<{ readonly endpoint: SshConnector; readonly ssh: SshConnector }> {
  const connector = ssh ?? await sshConnector(options, connectTimeoutMs);
  return { endpoint: connector, ssh: connector };
}

function endpointOf(
  executor: Exclude<ExecutorChoice, { kind: "ssh" }>,
  { configFile, graceMs = DEFAULT_GRACE_MS }: ReachOptions,
): Endpoint {
  if (executor.kind === "url") return executor.url;
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

/** The file that SSL_CERT_FILE names holds certificates to be trusted besides the usual ones. */
async function trustedCertificates(endpoint: Endpoint): Promise<string[] | undefined> {
  const path = startingEnvironment().SSL_CERT_FILE;
  if (path === undefined || path === "" || !String(endpoint).startsWith("wss:")) return undefined;
  const certificates = await readText({ setting: "SSL_CERT_FILE", path });
  if (!certificates.includes("-----BEGIN CERTIFICATE-----")) {
    throw new UsageError(`SSL_CERT_FILE: '${path}' holds no certificate in PEM format`);
  }
  return [certificates];
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

/** How long closing may take, in milliseconds. */
const FAREWELL_MS = 1000;

/**
 * Waits for what is being closed, but not for long, and whatever becomes of it. Returns what it settles
 * with; undefined if it fails or takes longer.
 */
export async function farewell<T>(closing: Promise<T>): Promise<T | undefined> {
  return await deadline(closing, FAREWELL_MS).catch(() => undefined);
}
