import { DEFAULT_RETAINED_BYTES } from "../process/event_log.ts";
import type { ChildStarter } from "../process/process.ts";
import { RetentionPool } from "../process/retention_pool.ts";
import type { ProcessKeeper } from "../process/process_keeper.ts";
import { methods } from "../protocol/methods.ts";
import { log } from "../telemetry/log.ts";
import { NO_TELEMETRY, type Telemetry } from "../telemetry/telemetry.ts";
import type { SandboxBounds } from "../sandbox/bounds.ts";
import type { Transport } from "../transport/transport.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { describeEnvironment } from "./environment_info.ts";
import { environmentConfigHandlers } from "./handlers/environment_config.ts";
import { fileHandlers } from "./handlers/filesystem.ts";
import { missingWatchHandlers } from "./handlers/missing_watch.ts";
import { httpHandlers } from "./handlers/http.ts";
import { processHandlers } from "./handlers/process.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { handler } from "./request_handler.ts";
import { Sessions } from "./sessions.ts";
import { Slots } from "./slots.ts";

/** What whoever runs an executor decides. */
export interface ExecutorOptions {
  readonly startChild: ChildStarter;
  readonly keeper: ProcessKeeper;
  /** Output retained per process, in bytes. @default 1 MiB */
  readonly retainedBytes?: number;
  /** How long a process is remembered once closed, in milliseconds. @default 30 s */
  readonly closedRetentionMs?: number;
  /** How long a session without a connection lives, in milliseconds. @default 30 s */
  readonly detachedLifeMs?: number;
  /** How much it takes on. @default see {@linkcode DEFAULT_LIMITS} */
  readonly limits?: Limits;
  /** What sandboxes have to be, whatever clients ask for. @default anything */
  readonly bounds?: SandboxBounds | undefined;
  /** Who takes down what happens. @default nobody */
  readonly telemetry?: Telemetry;
}

/** What a larger retention may cost in all, though each process keeps the default besides. */
const RETENTION_POOL_BYTES = 512 * 1024 * 1024;

const THIRTY_SECONDS_MS = 30_000;

/** Serves any number of connections, of whatever transport, until it is shut down. */
export class Executor {
  readonly #sessions: Sessions;
  readonly #connectionOptions: ConnectionOptions;
  readonly #telemetry: Telemetry;
  readonly #transports = new Set<Transport>();
  /** How many connections there have been. */
  #connectionsSoFar = 0;

  constructor(options: ExecutorOptions) {
    const limits = options.limits ?? DEFAULT_LIMITS;
    const telemetry = this.#telemetry = options.telemetry ?? NO_TELEMETRY;
    this.#sessions = new Sessions({
      maxSessions: limits.sessions,
      processSlots: new Slots(limits.processes),
      startChild: options.startChild,
      keeper: options.keeper,
      retainedBytes: options.retainedBytes ?? DEFAULT_RETAINED_BYTES,
      retentionPool: new RetentionPool(RETENTION_POOL_BYTES),
      closedRetentionMs: options.closedRetentionMs ?? THIRTY_SECONDS_MS,
      detachedLifeMs: options.detachedLifeMs ?? THIRTY_SECONDS_MS,
      telemetry,
    });
    telemetry.observe({
      connections: (kind) => [...this.#transports].filter((one) => one.kind === kind).length,
      sessions: () => this.#sessions.size,
      processes: () => this.#sessions.runningProcesses,
    });
    const environmentInfo = describeEnvironment(options.retainedBytes ?? DEFAULT_RETAINED_BYTES);
    this.#connectionOptions = {
      sessions: this.#sessions,
      concurrentRequests: limits.concurrentRequests,
      telemetry,
      environmentInfo: () => environmentInfo,
      handlers: new Map(Object.entries({
        "environment/info": handler(methods["environment/info"], () => environmentInfo),
        ...processHandlers(() => Deno.env.toObject(), options.bounds, telemetry),
        ...environmentConfigHandlers((name) => Deno.env.get(name)),
        ...missingWatchHandlers(),
        ...fileHandlers(options.bounds),
        ...httpHandlers(() => Deno.env.toObject(), options.bounds),
      })),
    };
  }

  /** The directory that it runs in, as a path URI, if it has one that a URI can hold. */
  get cwd(): string | undefined {
    return this.#connectionOptions.environmentInfo().cwd ?? undefined;
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#transports.size;
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
   * Ends every process, asking first and killing what runs after so many milliseconds, and then
   * every connection, so that clients are still told how their processes ended and why nothing
   * more comes.
   */
  async shutDown(graceMs: number): Promise<void> {
    await this.#sessions.endAll(graceMs);
    const transports = [...this.#transports];
    for (const transport of transports) {
      transport.close({ kind: "shutdown", message: "the executor is shutting down" });
    }
    await Promise.all(transports.map((transport) => transport.flushed()));
  }
}
