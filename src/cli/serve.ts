import { resolve } from "@std/path";
import { loadForExecutor } from "../config/load.ts";
import { configureLog, log } from "../log/log.ts";
import {
  type Environment,
  hideEnvironmentFromRuntime,
  startingEnvironment,
} from "../os/environment.ts";
import type { ReservedResources } from "../sandbox/policy/reserved.ts";
import { startTelemetry } from "../telemetry/telemetry.ts";
import type { ListenAddress } from "../transport/listen_address.ts";
import { StdioTransport } from "../transport/stdio_transport.ts";
import {
  ListenError,
  serveWebSocket,
  type WebSocketServerOptions,
} from "../transport/websocket_server.ts";
import { usageText } from "./command_manual.ts";
import { parseServeArguments, SERVE_MANUAL, type ServeOptions } from "./serve_options.ts";
import type { Means, Service } from "./service.ts";
import { shutdownSignal } from "./ending_signals.ts";
import { print, standardInput, standardOutput } from "./standard_streams.ts";
import { delay } from "@std/async/delay";
import type { Executor } from "../server/executor.ts";
import type { Configuration } from "../config/configuration.ts";
import type { CommandLimiter } from "../process/command_limits.ts";
import type { AuditLog } from "../server/audit_log.ts";

/** `remex serve`: serves clients until a signal asks it to end. Returns the exit code. */
export async function serve(args: string[]): Promise<number> {
  const given = parseServeArguments(args);
  if (typeof given === "string") {
    await print(usageText(SERVE_MANUAL, given));
    return 0;
  }
  const { configuration, requirements, unknownVariables } = await loadForExecutor(given);
  const bounds = requirements &&
    (await import("../config/enforce.ts")).sandboxBounds(requirements);
  const options = { ...given.options(configuration), bounds };
  const environment = startingEnvironment();
  hideEnvironmentFromRuntime();
  configureLog(options.log);
  const { listen } = options;
  using limiter = await limiterFor(options, configuration);
  const auditRequired = requirements?.get("auditLog") !== undefined;
  await using audit = await auditLogFor(options, configuration, auditRequired);
  const means = { limiter, audit };
  if (listen.kind === "stdio") {
    await serveStdio(options, environment, means);
    return 0;
  }
  for (const option of unknownVariables) {
    log("warn", "a variable of the environment is no setting", { option });
  }
  await serveSocket(listen, options, environment, means).catch((error) => {
    throw error instanceof ListenError
      ? configuration.wrong("listen", `: ${error.message}${listenHint(listen, error)}`)
      : error;
  });
  return 0;
}

/** Serves one client over standard input and output. */
async function serveStdio(
  options: ServeOptions,
  environment: Environment,
  means: Means,
): Promise<void> {
  const shutdown = shutdownSignal();
  const telemetry = await startTelemetry(environment);
  const reserved = () => ({ ...reservedBy(options), ports: [] });
  const { startService, stopService } = await import("./service.ts");
  const service = startService(options, environment, telemetry, means, reserved);
  const transport = new StdioTransport(
    ReadableStream.from(standardInput()),
    standardOutput(),
    service.executor.transportLimits,
  );
  const clientGone = service.executor.serve(transport);
  await Promise.race([clientGone, shutdown]);
  await stopService(service, options.graceMs);
  await transport.flushed();
}

/** Serves the clients that connect to a socket. */
async function serveSocket(
  listen: Exclude<ListenAddress, { kind: "stdio" }>,
  options: ServeOptions,
  environment: Environment,
  means: Means,
): Promise<void> {
  const shutdown = shutdownSignal();
  const access = await accessOf(options);
  const telemetry = await startTelemetry(environment);
  let ready = true;
  const ports: number[] = [];
  const own = reservedBy(options);
  const reserved = () => ({ ...own, ports });
  const loaded = Promise.withResolvers<void>();
  let service: Service | undefined;
  const running = () => {
    if (service === undefined) throw new Error("the executor has not been loaded");
    return service;
  };
  const server = await serveWebSocket(listen, {
    prepared: loaded.promise,
    accept: (transport) => void running().executor.serve(transport),
    ready: () => ready,
    cwd: () => running().executor.cwd,
    checkPeer: async (peer, port) => await running().checkPeer?.(peer, port),
    limits: () => running().executor.transportLimits,
    full: () => running().executor.connections >= options.limits.connections,
    pingIntervalMs: options.pingIntervalMs,
    ...access,
  });
  if (server.port !== undefined) ports.push(server.port);
  const reasons = options.exitOnStdinClose ? [shutdown, stdinClosed()] : [shutdown];
  announce(server.url);
  // What serves clients is loaded after the line above, which the starter waits for.
  const { startService, stopService } = await import("./service.ts");
  const started = service = startService(options, environment, telemetry, means, reserved);
  loaded.resolve();
  const { exitWhenIdleMs } = options;
  if (exitWhenIdleMs > 0) reasons.push(idleFor(exitWhenIdleMs, started.executor));
  await Promise.race(reasons);
  ready = false;
  await stopService(started, options.graceMs);
  server.stop();
}

/**
 * Prints the address for the program that started this one, without waiting until it is read. If it
 * cannot be printed the executor runs on, as clients may know the address.
 */
function announce(address: string): void {
  print(`${address}\n`).catch((error) => {
    const reason = error instanceof Error ? error.message : String(error);
    log("warn", "the address could not be printed", { address, reason });
  });
  log("info", "listening", { address });
}

/** The files and sockets of the executor that sandboxed commands may not use. */
function reservedBy(
  { listen, authentication, tls, auditLog }: ServeOptions,
): Omit<ReservedResources, "ports"> {
  const secrets = [
    ...authentication.kind === "tokenFile" ? [authentication.file] : [],
    ...authentication.kind === "signedToken" ? [authentication.secret] : [],
    ...tls === undefined ? [] : [tls.key],
  ];
  const files = secrets.map(({ path }) => path);
  if (auditLog !== undefined) files.push(auditLog);
  return {
    secretFiles: files.map((path) => resolve(path)),
    sockets: listen.kind === "unix" ? [resolve(listen.path)] : [],
  };
}

/** The check of tokens and the certificate. @throws {UsageError} for files that are wrong */
async function accessOf(
  { authentication, tls }: ServeOptions,
): Promise<Pick<WebSocketServerOptions, "checkToken" | "tls">> {
  return {
    checkToken: authentication.kind === "none"
      ? undefined
      : await (await import("./authentication_options.ts")).tokenCheckFor(authentication),
    tls: tls && await (await import("./tls_files.ts")).readTlsFiles(tls),
  };
}

/** Settles at the end of standard input, whose content is discarded. */
async function stdinClosed(): Promise<void> {
  const drained = new WritableStream();
  await ReadableStream.from(standardInput()).pipeTo(drained).catch(() => {});
}

/** A fix to append to the message of an address that cannot be listened on. */
function listenHint(address: ListenAddress, { cause }: ListenError): string {
  if (cause instanceof Deno.errors.AddrInUse) {
    return address.kind === "unix"
      ? "; a program listens there, or it is no socket file: end it or use another path"
      : "; another program listens there: use another port, or 0 for any that is free";
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) return "; this machine has no such address";
  if (cause instanceof Deno.errors.PermissionDenied) {
    return address.kind === "unix"
      ? "; use a directory that this user can write"
      : "; use a port above 1023";
  }
  if (cause instanceof Deno.errors.NotFound) return "; make the directory first";
  return "";
}

/** How often it is looked at the least, in milliseconds. */
const LOOK_MS = 1000;
/** Of so many looks within the time, each must find nothing to do. */
const LOOKS = 10;

/** Settles when an executor has had nothing to do for so many milliseconds. */
async function idleFor(
  milliseconds: number,
  executor: Pick<Executor, "idle" | "connectionsSoFar">,
): Promise<void> {
  let since = performance.now();
  let connections = executor.connectionsSoFar;
  while (performance.now() - since < milliseconds) {
    await delay(Math.min(LOOK_MS, milliseconds / LOOKS));
    if (executor.idle && executor.connectionsSoFar === connections) continue;
    since = performance.now();
    connections = executor.connectionsSoFar;
  }
}

/** What keeps commands within limits, where there are some. @throws {ConfigurationError} */
async function limiterFor(
  { commandLimits }: ServeOptions,
  configuration: Configuration,
): Promise<CommandLimiter | undefined> {
  if (commandLimits === undefined) return undefined;
  const { CommandLimiter } = await import("../process/command_limits.ts");
  try {
    return new CommandLimiter(commandLimits);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw configuration.wrong("commandLimits", `: ${reason}`);
  }
}

/** The audit log, where there is one. @throws {ConfigurationError} */
async function auditLogFor(
  { auditLog: path }: ServeOptions,
  configuration: Configuration,
  required: boolean,
): Promise<AuditLog | undefined> {
  if (path === undefined) return undefined;
  const { AuditLog, AuditLogError } = await import("../server/audit_log.ts");
  try {
    return await AuditLog.open(resolve(path), required);
  } catch (error) {
    if (!(error instanceof AuditLogError)) throw error;
    throw configuration.wrong("auditLog", `: ${path} ${error.message}`);
  }
}
