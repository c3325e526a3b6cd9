import { isAbsolute } from "@std/path";
import { errorFields, log } from "../log/log.ts";
import type { CommandLimiter } from "../process/command_limits.ts";
import type { AuditLog } from "../server/audit_log.ts";
import { raiseDescriptorLimit } from "../os/descriptor_limit.ts";
import type { Environment } from "../os/environment.ts";
import { memoryLimit } from "../os/memory.ts";
import { closeInheritedDescriptorsOnExec } from "../os/pipes.ts";
import { surviveFileSizeLimit } from "../os/signals.ts";
import { reserveThread } from "../os/thread_limit.ts";
import { keepProcesses, type ProcessKeeper } from "../process/process_keeper.ts";
import { startChild } from "../process/start_child.ts";
import type { ReservedResources } from "../sandbox/policy/reserved.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { Executor } from "../server/executor.ts";
import { type RunningTelemetry, withoutTelemetrySecrets } from "../telemetry/telemetry.ts";
import { originCheck, type PeerCheck } from "../transport/peer_origin.ts";
import type { ServeOptions } from "./serve_options.ts";

/** What an executor is given beside its options; each is missing where nobody asked for it. */
export interface Means {
  readonly limiter: CommandLimiter | undefined;
  readonly audit: AuditLog | undefined;
}

/** An executor and what belongs to it. */
export interface Service {
  readonly executor: Executor;
  readonly keeper: ProcessKeeper;
  readonly sandbox: Sandbox;
  /** Missing where the system does not tell which process connects. */
  readonly checkPeer: PeerCheck | undefined;
  readonly telemetry: RunningTelemetry;
}

/**
 * Starts an executor.
 *
 * @param reserved what sandboxed commands may not use, as far as it is known by then. @default nothing
 */
export function startService(
  options: ServeOptions,
  environment: Environment,
  telemetry: RunningTelemetry,
  { limiter, audit }: Means,
  reserved?: () => ReservedResources,
): Service {
  surviveStrayRejections();
  const { retainedBytes, limits, memory, bounds, sandboxMechanism, forbidPortForwarding } = options;
  const { graceMs, sessionRetentionMs, maxSessionRetentionMs, retainOnDiskBytes } = options;
  if (Deno.build.os === "linux") {
    closeInheritedDescriptorsOnExec();
    raiseDescriptorLimit();
    surviveFileSizeLimit();
    reserveThread();
  }
  const keeper = keepProcesses();
  limiter?.keepGroups(keeper.directories);
  const sandbox = new Sandbox({
    mechanism: sandboxMechanism,
    placeholderObserver: keeper.directories,
  });
  const executor = new Executor({
    startChild,
    keeper,
    limited: limiter && ((start) => limiter.limited(start, { keeper, graceMs })),
    retainedBytes,
    graceMs,
    detachedLifeMs: sessionRetentionMs,
    maxDetachedLifeMs: maxSessionRetentionMs,
    spool: retainOnDiskBytes === 0
      ? undefined
      : { places: spoolPlaces(environment), limitBytes: retainOnDiskBytes },
    environment: withoutTelemetrySecrets(environment),
    limits,
    memory: { ...memory, totalBytes: memoryLimit() },
    bounds,
    sandbox,
    telemetry,
    audit,
    reserved,
    portForwarding: !forbidPortForwarding,
  });
  const checkPeer = keeper.startedHere &&
    originCheck(keeper.startedHere, options.authentication.kind !== "none");
  return { keeper, executor, sandbox, telemetry, checkPeer };
}

/**
 * Where output may be kept on disk. /tmp comes last, as it may be memory.
 *
 * @param environment this program's
 */
function spoolPlaces({ XDG_CACHE_HOME, HOME, TMPDIR }: Environment): string[] {
  const own = `remex-${Deno.uid() ?? "output"}/output`;
  return [
    XDG_CACHE_HOME && `${XDG_CACHE_HOME}/remex/output`,
    HOME && `${HOME}/.cache/remex/output`,
    `/var/tmp/${own}`,
    `${TMPDIR || "/tmp"}/${own}`,
  ].filter((path): path is string => path !== undefined && isAbsolute(path));
}

/**
 * Keeps the executor running after a rejection that nobody handles. Deno itself causes one when a client
 * sends a message that is too long for a string, and other clients' commands must survive that.
 */
function surviveStrayRejections(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log("error", "unexpected failure", errorFields(event.reason));
  });
}

/** Time that telemetry always gets to send what is left, in milliseconds. */
const TELEMETRY_PATIENCE_MS = 1000;

/** Ends all processes and connections. Telemetry gets the rest of the grace. */
export async function stopService(
  { executor, keeper, sandbox, telemetry }: Service,
  graceMs: number,
): Promise<void> {
  const deadline = performance.now() + graceMs;
  log("info", "shutting down", { connections: executor.connections });
  await executor.shutDown(graceMs);
  await keeper.killAll();
  await sandbox[Symbol.asyncDispose]();
  await telemetry.stop(Math.max(TELEMETRY_PATIENCE_MS, deadline - performance.now()));
  log("info", "shut down");
}
