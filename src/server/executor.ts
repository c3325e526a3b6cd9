import { log } from "../log/log.ts";
import { type Environment, startingEnvironment } from "../os/environment.ts";
import { DEFAULT_GRACE_MS } from "../process/deadline.ts";
import { DEFAULT_RETAINED_BYTES } from "../process/event_log.ts";
import type { ChildStarter } from "../process/process.ts";
import type { ProcessKeeper } from "../process/process_keeper.ts";
import { Quota } from "../process/quota.ts";
import { RetentionPool } from "../process/retention_pool.ts";
import { SpoolDirectory } from "../process/spool.ts";
import { methods } from "../protocol/methods.ts";
import type { SandboxBounds } from "../sandbox/policy/bounds.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import type { ReservedResources } from "../sandbox/policy/reserved.ts";
import { NO_TELEMETRY, type Telemetry } from "../telemetry/telemetry.ts";
import { SATURATED_BYTES, type Transport, type TransportLimits } from "../transport/transport.ts";
import { UnfinishedMessages } from "../transport/unfinished_messages.ts";
import type { AuditLog } from "./audit_log.ts";
import { ClosedProcesses } from "./closed_processes.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { describeEnvironment } from "./environment_info.ts";
import {
  environmentConfigHandlers,
  fileHandlers,
  missingWatchHandlers,
} from "./handlers/filesystem.ts";
import { httpHandlers } from "./handlers/http.ts";
import { processHandlers } from "./handlers/process.ts";
import { tcpHandlers } from "./handlers/tcp.ts";
import { DEFAULT_LIMITS, DEFAULT_MEMORY, type Limits, type MemoryLimits } from "./limits.ts";
import { MemoryTrimmer } from "./memory_trimmer.ts";
import { handler } from "./request_handler.ts";
import { Sessions } from "./sessions.ts";

/** How an executor is set up. */
export interface ExecutorOptions {
  readonly startChild: ChildStarter;
  readonly keeper: ProcessKeeper;
  /** Has what is started kept within limits. @default within none */
  readonly limited?: ((start: ChildStarter) => ChildStarter) | undefined;
  /** Output retained per process, in bytes. @default 1 MiB */
  readonly retainedBytes?: number;
  /** How long a process is remembered once closed, in milliseconds. @default 30 s */
  readonly closedRetentionMs?: number;
  /** How long a session without a connection lives, in milliseconds. @default 30 s */
  readonly detachedLifeMs?: number;
  /** The same, the most that clients may ask for, in milliseconds. @default what it is anyway */
  readonly maxDetachedLifeMs?: number;
  /** Output kept on disk for clients that ask for it. @default none */
  readonly spool?: SpoolOptions | undefined;
  /**
   * How long the commands of an expired session may take to end before they are killed, in
   * milliseconds.
   *
   * @default 5 s
   */
  readonly graceMs?: number;
  /** Environment that commands and requests may inherit. @default this program's */
  readonly environment?: Environment;
  /** @default {@linkcode DEFAULT_LIMITS} */
  readonly limits?: Limits;
  /** @default {@linkcode DEFAULT_MEMORY} */
  readonly memory?: MemoryLimits;
  /** The administrator's bounds on sandboxes. @default none */
  readonly bounds?: SandboxBounds | undefined;
  /** What sandboxes commands; whoever made it disposes of it. @default one of its own */
  readonly sandbox?: Sandbox | undefined;
  /** Files, sockets and ports that sandboxed commands may not use. @default none */
  readonly reserved?: (() => ReservedResources) | undefined;
  /** Whether clients may connect to ports of this machine's loopback address. @default false */
  readonly portForwarding?: boolean;
  /** Where events are recorded. @default nowhere */
  readonly telemetry?: Telemetry;
  /** Takes down starts and ends of commands; whoever opened it disposes of it. @default nothing does */
  readonly audit?: AuditLog | undefined;
}

/** Where and how much output is kept on disk. */
export interface SpoolOptions {
  /** Directories of which the first is taken that can be had privately. */
  readonly places: readonly string[];
  /** For all processes together, in bytes. */
  readonly limitBytes: number;
}

/** Share of the memory in use past which connections are closed to free some. */
const EMERGENCY_SHARE = 0.7;

/** Bytes that every connection may have unsent, however many connections there are. */
const MIN_UNSENT_BYTES = 64 * 1024;

const THIRTY_SECONDS_MS = 30_000;

/** Serves connections of any transport until it is shut down. */
export class Executor {
  readonly #sessions: Sessions;
  readonly #connectionOptions: ConnectionOptions;
  readonly #telemetry: Telemetry;
  readonly #memory: MemoryLimits;
  readonly #trimmer: MemoryTrimmer;
  readonly #unfinished: UnfinishedMessages;
  readonly #transports = new Set<Transport>();
  #connectionsSoFar = 0;

  constructor(options: ExecutorOptions) {
    const limits = options.limits ?? DEFAULT_LIMITS;
    const memory = this.#memory = options.memory ?? DEFAULT_MEMORY;
    const telemetry = this.#telemetry = options.telemetry ?? NO_TELEMETRY;
    const { spool, detachedLifeMs = THIRTY_SECONDS_MS, graceMs = DEFAULT_GRACE_MS } = options;
    const maxDetachedLifeMs = Math.max(detachedLifeMs, options.maxDetachedLifeMs ?? 0);
    this.#sessions = new Sessions({
      maxSessions: limits.sessions,
      processSlots: new Quota(limits.processes),
      startChild: options.startChild,
      keeper: options.keeper,
      limited: options.limited,
      inputBytes: new Quota(memory.budgetBytes / 4),
      retainedBytes: options.retainedBytes ?? DEFAULT_RETAINED_BYTES,
      retentionPool: new RetentionPool(memory.budgetBytes / 4),
      closedProcesses: new ClosedProcesses(
        limits.endedProcesses,
        options.closedRetentionMs ?? THIRTY_SECONDS_MS,
      ),
      detachedLifeMs,
      maxDetachedLifeMs,
      spoolDirectory: spool && new SpoolDirectory(spool.places, spool.limitBytes),
      graceMs,
      telemetry,
      audit: options.audit,
    });
    this.#trimmer = new MemoryTrimmer(memory.budgetBytes / 2);
    this.#unfinished = new UnfinishedMessages(
      memory.budgetBytes / 2,
      memory.totalBytes * EMERGENCY_SHARE,
    );
    telemetry.observe({
      connections: (kind) => [...this.#transports].filter((one) => one.kind === kind).length,
      sessions: () => this.#sessions.size,
      processes: () => this.#sessions.runningProcesses,
    });
    const sandbox = options.sandbox ?? new Sandbox();
    const environment = options.environment ?? startingEnvironment();
    const { bounds } = options;
    const portForwarding = (options.portForwarding ?? false) &&
      (bounds === undefined || bounds.network === "any");
    const description = describeEnvironment(
      options.retainedBytes ?? DEFAULT_RETAINED_BYTES,
      environment,
      memory.messageBytes,
      options.bounds?.restrictedBy !== undefined,
    );
    const environmentInfo = {
      ...description,
      capabilities: {
        ...description.capabilities,
        maxSessionRetentionMs: maxDetachedLifeMs,
        retainOnDisk: spool !== undefined,
        tcpForwarding: portForwarding,
      },
    };
    this.#connectionOptions = {
      sessions: this.#sessions,
      concurrentRequests: limits.concurrentRequests,
      messageBytes: new Quota(memory.budgetBytes / 2),
      trimmer: this.#trimmer,
      telemetry,
      environmentInfo: () => environmentInfo,
      handlers: new Map(Object.entries({
        "session/end": handler(
          methods["session/end"],
          ({ sessionId }, { session, sessionOf }) => {
            const other = sessionOf(sessionId);
            if (other === session) session.retain({ endsWithConnection: true });
            else this.#sessions.end(other);
            return {};
          },
        ),
        "environment/info": handler(methods["environment/info"], () => environmentInfo),
        "environment/status": handler(
          methods["environment/status"],
          () => ({ status: "ready" as const }),
        ),
        ...processHandlers(() => environment, {
          bounds: options.bounds,
          sandbox,
          reserved: options.reserved,
          telemetry,
        }, graceMs),
        ...environmentConfigHandlers((name) => environment[name], options.bounds),
        ...missingWatchHandlers(options.bounds),
        ...fileHandlers(sandbox, options.bounds, options.reserved),
        ...httpHandlers(() => environment, options.bounds),
        ...tcpHandlers({
          allowed: portForwarding,
          ownPorts: () => options.reserved?.().ports ?? [],
        }),
      })),
    };
  }

  /** The working directory as a path URI; undefined if it has none or no URI can express it. */
  get cwd(): string | undefined {
    return this.#connectionOptions.environmentInfo().cwd ?? undefined;
  }

  /** The memory limits of a connection, which shrink as connections become more. */
  get transportLimits(): TransportLimits {
    const { budgetBytes, messageBytes } = this.#memory;
    return {
      maxMessageBytes: messageBytes,
      saturatedBytes: () => {
        const share = budgetBytes / 4 / Math.max(1, this.connections);
        return Math.max(MIN_UNSENT_BYTES, Math.min(SATURATED_BYTES, share));
      },
      unfinished: this.#unfinished,
    };
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#transports.size;
  }

  /** How many connections there have been. */
  get connectionsSoFar(): number {
    return this.#connectionsSoFar;
  }

  /** Whether nobody is connected or could come back, and nothing runs. */
  get idle(): boolean {
    const { size, runningProcesses } = this.#sessions;
    return this.connections === 0 && size === 0 && runningProcesses === 0;
  }

  /** Serves one client. Settles when its connection has ended. */
  async serve(transport: Transport): Promise<void> {
    const connection = ++this.#connectionsSoFar;
    const { kind, peer } = transport;
    this.#transports.add(transport);
    this.#telemetry.connectionOpened(kind);
    log("info", "connection opened", {
      connection,
      transport: kind,
      ...peer === undefined ? {} : { peer },
      connections: this.connections,
    });
    const reason = await new Connection(transport, this.#connectionOptions).run();
    this.#transports.delete(transport);
    const level = reason === "overload" ? "warn" : "info";
    log(level, "connection closed", { connection, reason, connections: this.connections });
  }

  /**
   * Ends every process: asks it to end, and kills it after so many milliseconds. Then it closes every
   * connection, so that clients still learn how their processes ended and why the connection closes.
   */
  async shutDown(graceMs: number): Promise<void> {
    await this.#sessions.endAll(graceMs);
    this.#unfinished[Symbol.dispose]();
    const transports = [...this.#transports];
    for (const transport of transports) {
      transport.close({ kind: "shutdown", message: "the executor is shutting down" });
    }
    await Promise.all(transports.map((transport) => transport.flushed()));
    this.#trimmer[Symbol.dispose]();
  }
}
