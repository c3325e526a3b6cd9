import { raiseDescriptorLimit } from "../process/linux/descriptor_limit.ts";
import { closeInheritedDescriptorsOnExec } from "../process/linux/descriptors.ts";
import { keepProcesses, type ProcessKeeper } from "../process/process_keeper.ts";
import { startChild } from "../process/start_child.ts";
import { releaseAllHeld } from "../sandbox/linux/hold_in_place.ts";
import { Executor } from "../server/executor.ts";
import { log } from "../telemetry/log.ts";
import type { ListenAddress } from "../transport/listen_address.ts";
import { StdioTransport } from "../transport/stdio_transport.ts";
import {
  ListenError,
  serveWebSocket,
  type WebSocketServerOptions,
} from "../transport/websocket_server.ts";
import { parseServeOptions, SERVE_USAGE, type ServeOptions } from "./serve_options.ts";
import { UsageError } from "./usage_error.ts";

/** `remex serve`: serves clients until told to end. Returns the exit code. */
export async function serve(args: string[]): Promise<number> {
  const options = parseServeOptions(args);
  if (options === "help") {
    await Deno.stdout.write(new TextEncoder().encode(SERVE_USAGE));
    return 0;
  }
  const { listen } = options;
  if (listen.kind === "stdio") await serveStdio(options);
  else await serveSocket(listen, options);
  return 0;
}

/** An executor and what it answers for. */
interface Service {
  readonly executor: Executor;
  readonly keeper: ProcessKeeper;
}

function startService({ retainedBytes, limits }: ServeOptions): Service {
  surviveStrayRejections();
  if (Deno.build.os === "linux") {
    closeInheritedDescriptorsOnExec();
    raiseDescriptorLimit();
  }
  const keeper = keepProcesses();
  return { keeper, executor: new Executor({ startChild, keeper, retainedBytes, limits }) };
}

/**
 * Keeps the executor up when something fails that nobody waits for, as Deno does inside itself when
 * a client sends a message that is too long for a string: the others' commands must not end by it.
 */
function surviveStrayRejections(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log("error", `unexpected failure: ${event.reason}`);
  });
}

/** Leaves no connection and no process behind. */
async function stopService({ executor, keeper }: Service, graceMs: number): Promise<void> {
  log("info", "shutting down");
  await executor.shutDown(graceMs);
  await keeper.killAll();
  releaseAllHeld();
}

/** Serves the one client at the other end of standard input and output. */
async function serveStdio(options: ServeOptions): Promise<void> {
  const service = startService(options);
  const transport = new StdioTransport(Deno.stdin.readable, Deno.stdout.writable);
  const clientGone = service.executor.serve(transport);
  await Promise.race([clientGone, toldToEnd()]);
  await stopService(service, transport.over ? 0 : options.graceMs);
  await transport.flushed();
}

/** Serves whoever connects to a socket. */
async function serveSocket(
  listen: Exclude<ListenAddress, { kind: "stdio" }>,
  options: ServeOptions,
): Promise<void> {
  const access = await accessOf(options);
  let ready = true;
  let service: Service | undefined;
  const running = () => service ??= startService(options);
  const server = await serveWebSocket(listen, {
    accept: (transport) => void running().executor.serve(transport),
    ready: () => ready,
    cwd: () => running().executor.cwd,
    full: () => running().executor.connections >= options.limits.connections,
    ...access,
  }).catch((error) => {
    throw error instanceof ListenError ? new UsageError(error.message) : error;
  });
  const ended = options.exitOnStdinClose ? Promise.race([toldToEnd(), stdinClosed()]) : toldToEnd();
  console.log(server.url);
  log("info", `listening on ${server.url}`);
  // Whoever started this waits for the line above, but not for what only a first command needs.
  const started = running();
  await ended;
  ready = false;
  await stopService(started, options.graceMs);
  server.stop();
}

/** What decides who gets in and reads along. @throws {UsageError} for files that are wrong */
async function accessOf(
  { authentication, tls }: ServeOptions,
): Promise<Pick<WebSocketServerOptions, "checkToken" | "tls">> {
  return {
    checkToken: authentication.kind === "none"
      ? undefined
      : await (await import("./authenticator.ts")).tokenCheckFor(authentication),
    tls: tls && await (await import("./tls_files.ts")).readTlsFiles(tls),
  };
}

/** Settles at the first SIGTERM or SIGINT. */
function toldToEnd(): Promise<void> {
  return new Promise((resolve) => {
    Deno.addSignalListener("SIGINT", resolve);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", resolve);
  });
}

/** Settles when standard input is at its end. What it holds until then is of no interest. */
async function stdinClosed(): Promise<void> {
  await Deno.stdin.readable.pipeTo(new WritableStream()).catch(() => {});
}
