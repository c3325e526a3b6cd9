import { lazy, optional, pathUriSchema } from "./schema_parts.ts";
import * as z from "zod/mini";

/** Parameters of `initialize`, the first request of a connection. */
export const initializeParams = lazy(() =>
  z.object({
    clientName: z.string(),
    /** Attach to this session instead of opening a new one. */
    resumeSessionId: optional(z.string()),
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
    userHomeDir: optional(pathUriSchema),
    platformOs: optional(z.string()),
    tempDir: optional(pathUriSchema),
    temporaryDirectories: optional(z.array(pathUriSchema)),
    prependPathDirs: optional(z.array(pathUriSchema)),
    capabilities: optional(capabilities),
  })
);

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
  })
);

/** What the executor tells of its machine, as it goes on the wire. */
export type EnvironmentInfo = z.input<typeof environmentInfo>;
