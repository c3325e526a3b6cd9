import { lazy, optional, pathUriSchema } from "./schema_parts.ts";
import * as z from "zod/mini";

/** Parameters of `initialize`, the first request of a connection. */
export const initializeParams = lazy(() =>
  z.object({
    clientName: z.string(),
    /** Attach to this session instead of opening a new one. */
    resumeSessionId: optional(z.string()),
    /**
     * How long the session waits for its client while it has processes, in milliseconds; ended ones
     * are then remembered as long as the session. An addition, announced as capability
     * `maxSessionRetentionMs`, which is the most that is granted.
     */
    sessionRetentionMs: optional(z.int().check(z.gte(1))),
    /** Keep output of processes that are started from now on in files. An addition, as above. */
    retainOnDisk: optional(z.boolean()),
    /** Attach to a session that is attached, whose client is told. An addition, as above. */
    takeOver: optional(z.boolean()),
  })
);

/** The executor's features beyond the base protocol; an absent one is not supported. */
export const capabilities = z.record(z.string(), z.unknown());

/** What a client needs to know of the executor's machine to compose commands. */
export const environmentInfo = lazy(() =>
  z.object({
    /** The user's login shell; `path` is native, and may be a bare command name. */
    shell: z.object({ name: z.string(), path: z.string() }),
    cwd: optional(pathUriSchema),
    executorVersion: optional(z.string()),
    /** Names the program that the executor is, version and platform included. */
    providerId: optional(z.string()),
    userHomeDir: optional(pathUriSchema),
    platformOs: optional(z.string()),
    tempDir: optional(pathUriSchema),
    temporaryDirectories: optional(z.array(pathUriSchema)),
    prependPathDirs: optional(z.array(pathUriSchema)),
    capabilities: optional(capabilities),
  })
);

/** Answer to `environment/status`: requests are being answered. */
export const environmentStatus = z.object({ status: z.enum(["ready"]) });

/**
 * The header of an executor's answer to a WebSocket upgrade that holds `environmentInfo.cwd`, so that a
 * client can start its first command there without asking.
 */
export const CWD_HEADER = "remex-cwd";

/** Answer to `initialize`. */
export const initializeResult = lazy(() =>
  z.object({
    /** A random UUID, and the only credential that resuming the session needs. */
    sessionId: z.string(),
    environmentInfo: optional(environmentInfo),
    /** What is granted of the retention that was asked for; missing unless it was. */
    sessionRetentionMs: optional(z.number()),
    /** Whether output is kept in files; missing unless that was asked for. */
    retainOnDisk: optional(z.boolean()),
  })
);

/** What a client asks for when it opens or resumes a session. */
export type InitializeParams = z.output<typeof initializeParams>;

/**
 * Parameters of `session/end`: which session ends. Another one than the connection's own is an
 * addition, announced as capability `otherSessions`: its processes are ended at once.
 */
export const sessionEndParams = lazy(() => z.object({ sessionId: optional(z.string()) }));

/**
 * `session/takenOver`: another connection has the session now. The connection is closed. Sent only
 * where a client has asked for it by `takeOver`.
 */
export const sessionTakenOver = lazy(() => z.object({ sessionId: z.string() }));

/** What the executor tells of its machine, as it goes on the wire. */
export type EnvironmentInfo = z.input<typeof environmentInfo>;
