import { sandboxContext } from "./sandbox.ts";
import {
  base64Bytes,
  defaulted,
  lazy,
  limit,
  optional,
  pathUriSchema,
  unsignedInteger,
} from "./schema_parts.ts";
import * as z from "zod/mini";

const sandbox = optional(sandboxContext);

/** Permissions that may be set: read, write and execute, and sticky (chmod(2)). */
export const PERMISSION_BITS = 0o1777;

const permissions = optional(z.int().check(z.gte(0), z.lte(PERMISSION_BITS)));
const modifiedAtMs = optional(z.int());
/** What a file is to have when it takes its name; what is absent is as for any new file. */
const newAttributes = { permissions, modifiedAtMs };

/** Largest block of `fs/readBlock` or `fs/writeBlock`, in bytes. */
export const MAX_BLOCK_BYTES = 1024 * 1024;

export const readFileParams = lazy(() => z.object({ path: pathUriSchema, sandbox }));
export const readFileResult = lazy(() => z.object({ dataBase64: base64Bytes }));

export const writeFileParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    /** Decoded where it is used: what is no base64 here is an invalid operation, not a parameter. */
    dataBase64: z.string(),
    ...newAttributes,
    sandbox,
  })
);

export const createDirectoryParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    recursive: defaulted(z.boolean(), true),
    sandbox,
  })
);

export const getMetadataParams = lazy(() => z.object({ path: pathUriSchema, sandbox }));
export const getMetadataResult = lazy(() =>
  z.object({
    isDirectory: z.boolean(),
    isFile: z.boolean(),
    /** Of the path itself; the other members describe what it leads to. */
    isSymlink: z.boolean(),
    size: unsignedInteger,
    /** Milliseconds since 1970; 0 where the system keeps no creation time. */
    createdAtMs: z.int(),
    modifiedAtMs: z.int(),
  })
);

export const canonicalizeParams = lazy(() => z.object({ path: pathUriSchema, sandbox }));
export const canonicalizeResult = lazy(() => z.object({ path: pathUriSchema }));

export const readDirectoryParams = lazy(() => z.object({ path: pathUriSchema, sandbox }));
export const readDirectoryResult = lazy(() =>
  z.object({
    entries: z.array(z.object({
      fileName: z.string(),
      isDirectory: z.boolean(),
      isFile: z.boolean(),
    })),
  })
);

export const walkParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    options: z.object({
      maxDepth: limit,
      maxDirectories: limit,
      maxEntries: limit,
      followDirectorySymlinks: z.boolean(),
      /** Lists directories whose names start with a dot, but not what is in them. */
      pruneHiddenDirectories: defaulted(z.boolean(), false),
    }),
    sandbox,
  })
);
export const walkResult = lazy(() =>
  z.object({
    entries: z.array(z.object({ path: pathUriSchema, kind: z.enum(["directory", "file"]) })),
    errors: z.array(z.object({ path: pathUriSchema, message: z.string() })),
    /** Whether a limit of the request cut the listing short. */
    truncated: z.boolean(),
  })
);

export const removeParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    recursive: defaulted(z.boolean(), true),
    force: defaulted(z.boolean(), true),
    sandbox,
  })
);

export const copyParams = lazy(() =>
  z.object({
    sourcePath: pathUriSchema,
    destinationPath: pathUriSchema,
    recursive: z.boolean(),
    sandbox,
  })
);

export const openParams = lazy(() =>
  z.object({
    handleId: z.string(),
    path: pathUriSchema,
    /**
     * `replace`: the blocks written to the handle become the whole file when it is closed.
     * `resume`: the same, and what was written outlasts the handle's connection, see `resumeKey`.
     */
    mode: defaulted(z.enum(["read", "replace", "resume"]), "read"),
    /** Names the content: with the same one, writing to the same path goes on where it stopped. */
    resumeKey: optional(z.string()),
    sandbox,
  })
);
export const openResult = lazy(() =>
  z.object({
    handleId: z.string(),
    /** Of `resume`: bytes that were written before. */
    size: optional(unsignedInteger),
  })
);
/** The data of an error that answers `fs/open`: somebody else is writing the same there. */
export const openFailure = z.object({ reason: z.literal("inUse") });

export const readBlockParams = lazy(() =>
  z.object({
    handleId: z.string(),
    offset: unsignedInteger,
    /** 1 to {@linkcode MAX_BLOCK_BYTES}; another number is an invalid operation. */
    len: unsignedInteger,
  })
);
export const readBlockResult = lazy(() => z.object({ chunk: base64Bytes, eof: z.boolean() }));

export const writeBlockParams = lazy(() =>
  z.object({
    handleId: z.string(),
    offset: unsignedInteger,
    /** 1 to {@linkcode MAX_BLOCK_BYTES} bytes; another number is an invalid operation. */
    chunk: base64Bytes,
  })
);

export const closeParams = lazy(() =>
  z.object({
    handleId: z.string(),
    ...newAttributes,
    /** Gives up what was written, and leaves nothing of it. */
    discard: defaulted(z.boolean(), false),
  })
);

/** What something at a path is, a link not followed unless asked for. */
const attributes = {
  kind: z.enum(["file", "directory", "symlink", "other"]),
  /** In bytes. */
  size: unsignedInteger,
  /** Those of chmod(2); absent where the system has none. */
  permissions: optional(unsignedInteger),
  /** In milliseconds since 1970. */
  modifiedAtMs: z.int(),
  /** What a symbolic link says, in the system's bytes. */
  targetBase64: optional(base64Bytes),
};

export const statParams = lazy(() =>
  z.object({ path: pathUriSchema, followLinks: defaulted(z.boolean(), true), sandbox })
);
export const statResult = lazy(() =>
  z.object({
    ...attributes,
    /** The same text for the same object, by whatever name or executor; absent if that is unknown. */
    identity: optional(z.string()),
  })
);

/** Entries in one answer to `fs/list`. */
export const MAX_LISTED = 10_000;

export const listParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    /** Only what comes after this name, as the answer before had it. */
    after: optional(z.string()),
    sandbox,
  })
);
export const listResult = lazy(() =>
  z.object({
    entries: z.array(z.object({
      /** The last segment of the path's URI, so that it is exact for names that are not UTF-8. */
      name: z.string(),
      ...attributes,
    })),
    /** Whether there is more after the last. */
    more: z.boolean(),
  })
);

export const setAttributesParams = lazy(() =>
  z.object({ path: pathUriSchema, permissions, modifiedAtMs, sandbox })
);

export const symlinkParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    /** What the link is to say, in the system's bytes; decoded where it is used. */
    targetBase64: z.string(),
    sandbox,
  })
);

export const watchMissingParams = lazy(() =>
  z.object({
    /** Above that of every watch before on the connection, which ends by this request. */
    watchId: unsignedInteger,
    /** Paths that do not exist. */
    missing: z.array(pathUriSchema),
    /** A path that exists. */
    present: optional(pathUriSchema),
  })
);
export const watchMissingResult = z.object({
  /** False: no notification will come. */
  watching: z.boolean(),
});
/** `fs/missingChanged`: the watch has seen a change and is over. */
export const missingChanged = z.object({ watchId: unsignedInteger });
