import { networkProxy } from "./network_proxy.ts";
import { managedNetwork, sandboxContext, sandboxType } from "./sandbox.ts";
import {
  base64Bytes,
  defaulted,
  lazy,
  limit,
  optional,
  pathUriSchema,
  textRecord,
  unsignedInteger,
} from "./schema_parts.ts";
import { MAX_TIMER_MS } from "./timer.ts";
import * as z from "zod/mini";

/** The client's own name for a process, unique in its session. */
const processId = z.string();

/**
 * Whose process it is, of another session than the connection's own: its id is the credential. An
 * addition, announced as capability `otherSessions`.
 */
const anySession = optional(z.string());

/** How to build a command's base environment from the executor's own. */
export const environmentPolicy = lazy(() =>
  z.object({
    inherit: z.enum(["all", "core", "none"]),
    ignoreDefaultExcludes: z.boolean(),
    exclude: z.array(z.string()),
    set: textRecord,
    includeOnly: z.array(z.string()),
  })
);

/** Bytes of the name of what shares a shell's state, as UTF-8. */
const MAX_SCOPE_BYTES = 256;

/** The size of a pseudo-terminal in character cells. */
const cells = z.int().check(z.gte(1), z.lte(65535));
const terminalSize = { rows: cells, cols: cells };

const shellSnapshot = z.object({
  /** Commands of the same scope share what the startup files did. */
  scopeId: z.string().check(
    z.refine(
      (text) => text !== "" && new TextEncoder().encode(text).length <= MAX_SCOPE_BYTES,
      `must be of 1 to ${MAX_SCOPE_BYTES} bytes`,
    ),
  ),
  shell: z.object({ name: z.string(), path: z.string() }),
});

/** Parameters of `process/start`. */
export const startParams = lazy(() =>
  z.object({
    processId,
    argv: z.array(z.string()).check(z.minLength(1, "must not be empty")),
    cwd: pathUriSchema,
    env: textRecord,
    envPolicy: optional(environmentPolicy),
    tty: z.boolean(),
    /** The terminal's first size, an addition. Default: 24 rows and 80 columns. */
    terminalSize: optional(z.object(terminalSize)),
    pipeStdin: defaulted(z.boolean(), false),
    /** Asks for a login shell's state without its startup files being run for each command. */
    shellSnapshot: optional(shellSnapshot),
    arg0: optional(z.string()),
    sandbox: optional(sandboxContext),
    enforceManagedNetwork: defaulted(z.boolean(), false),
    managedNetwork: optional(managedNetwork),
    /**
     * How long it may run, in milliseconds, an addition announced as capability `processTimeout`: then
     * its group gets SIGTERM, and after the executor's grace SIGKILL. Default: as long as it likes.
     */
    timeoutMs: optional(z.int().check(z.gte(1), z.lte(MAX_TIMER_MS))),
    networkProxy: optional(networkProxy),
    /** Kept for the client's own use, never interpreted. */
    metadata: optional(z.record(z.string(), z.unknown())),
  })
);

/** Answer to `process/start`, sent once the child runs. */
export const startResult = lazy(() =>
  z.object({
    processId,
    sandboxType: optional(sandboxType),
  })
);

/**
 * `data` of the error of a `process/start` that the system refused: of which kind that is, and as an
 * addition what could not be used, and the system's error number if it gave one.
 */
export const startFailure = lazy(() =>
  z.object({
    kind: optional(z.enum(["spawnNotFound", "spawnPermissionDenied", "spawnFailed"])),
    culprit: z.enum(["program", "workingDirectory"]),
    errno: optional(z.int()),
  })
);

/** What {@linkcode startFailure} describes. */
export type StartFailure = z.output<typeof startFailure>;

/** Where a chunk of output came from; a pseudo-terminal has one stream for both. */
export const outputStream = z.enum(["stdout", "stderr", "pty"]);

/** Which limit of the executor ended a process, an addition: see `commandLimits` of its settings. */
export const exceededLimit = z.enum(["time", "memory", "processes"]);

/** Parameters of `process/read`. */
export const readParams = lazy(() =>
  z.object({
    processId,
    /** Only chunks with a greater sequence number. Default 0: everything retained. */
    afterSeq: defaulted(limit, 0),
    /** Largest size in bytes; one chunk is always returned if there is one. Default: no limit. */
    maxBytes: optional(limit),
    /** How long to wait for an event, in milliseconds. Default 0: answer at once. */
    waitMs: defaulted(limit, 0),
    sessionId: anySession,
  })
);

/**
 * What the executor's proxy was asked for by a command that has one, each as `host:port`; additions.
 * Absent where there is nothing.
 */
const networkReport = {
  networkDenied: optional(z.array(z.string())),
  networkReached: optional(z.array(z.string())),
};

/** Answer to `process/read`. */
export const readResult = lazy(() =>
  z.object({
    chunks: z.array(z.object({ seq: unsignedInteger, stream: outputStream, chunk: base64Bytes })),
    nextSeq: unsignedInteger,
    exited: z.boolean(),
    exitCode: z.nullable(z.int()),
    closed: z.boolean(),
    failure: z.nullable(z.string()),
    sandboxDenied: optional(z.boolean()),
    /** Absent unless a limit ended it. */
    limitExceeded: optional(exceededLimit),
    /** Present and true where the process was told to end as its time was up, an addition. */
    timedOut: optional(z.boolean()),
    ...networkReport,
  })
);

/** Parameters of `process/write`. */
export const writeParams = lazy(() =>
  z.object({
    processId,
    chunk: base64Bytes,
    /** Names this write, so that repeating it after a lost answer writes nothing twice. */
    writeId: z.string().check(z.minLength(1, "must not be empty")),
  })
);

/** Answer to `process/write`. */
export const writeResult = lazy(() =>
  z.object({
    status: z.enum(["accepted", "unknownProcess", "stdinClosed", "starting"]),
  })
);

/** Parameters of `process/closeStdin`, an addition announced as capability `processCloseStdin`. */
export const closeStdinParams = lazy(() => z.object({ processId }));

/**
 * A signal of `process/signal`: SIGINT, and as an addition announced as capability `processSignals`
 * SIGTERM and SIGHUP.
 */
export type ProcessSignal = "interrupt" | "terminate" | "hangup";

/** All signals of `process/signal`. */
export const PROCESS_SIGNALS = [
  "interrupt",
  "terminate",
  "hangup",
] as const satisfies readonly ProcessSignal[];

/** Parameters of `process/signal`. */
export const signalParams = lazy(() =>
  z.object({ processId, signal: z.enum(PROCESS_SIGNALS), sessionId: anySession })
);

/** Parameters of `process/terminate`. */
export const terminateParams = lazy(() => z.object({ processId, sessionId: anySession }));

/** Answer to `process/terminate`: whether the process was running and is now being killed. */
export const terminateResult = lazy(() => z.object({ running: z.boolean() }));

/** Parameters of `process/resize`, an addition announced as capability `processResize`. */
export const resizeParams = lazy(() => z.object({ processId, ...terminalSize }));

/** `process/output`: one chunk of what the process wrote. */
export const outputNotification = lazy(() =>
  z.object({
    processId,
    seq: unsignedInteger,
    stream: outputStream,
    chunk: base64Bytes,
  })
);

/** `process/exited`: the process has exited, though a descendant may keep its output open. */
export const exitedNotification = lazy(() =>
  z.object({
    processId,
    seq: unsignedInteger,
    exitCode: z.int(),
    /** Absent from servers older than the member; then `process/read` tells. */
    sandboxDenied: optional(z.boolean()),
    /** Absent unless a limit ended it. */
    limitExceeded: optional(exceededLimit),
    /** Present and true where the process was told to end as its time was up, an addition. */
    timedOut: optional(z.boolean()),
    ...networkReport,
  })
);

/** `process/closed`: the process has exited and its output has ended. Always the last event. */
export const closedNotification = lazy(() => z.object({ processId, seq: unsignedInteger }));

export type StartParams = z.output<typeof startParams>;
export type EnvironmentPolicy = z.output<typeof environmentPolicy>;
/** What {@linkcode exceededLimit} describes. */
export type ExceededLimit = "memory" | "processes" | "time";
/** The output that a process wrote to. */
export type OutputStream = "stdout" | "stderr" | "pty";
export type ReadParams = z.output<typeof readParams>;
export type WriteParams = z.output<typeof writeParams>;
/** The outcome of a write. */
export type WriteStatus = "accepted" | "unknownProcess" | "stdinClosed" | "starting";
/** Answer to `process/read` as it goes on the wire. */
export type ReadAnswer = z.input<typeof readResult>;

/** What a command reached by its network and what it was denied, each as `host:port`. */
export interface NetworkReport {
  /** What it reached. */
  readonly reached: readonly string[];
  /** What it was denied. */
  readonly denied: readonly string[];
}

/** The size of a pseudo-terminal in character cells. */
export interface TerminalSize {
  /** Lines, 1 to 65535. */
  readonly rows: number;
  /** Characters a line, 1 to 65535. */
  readonly cols: number;
}
