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

/** Largest block of `fs/readBlock`, in bytes. */
export const MAX_READ_BLOCK_BYTES = 1024 * 1024;

export const readFileParams = lazy(() => z.object({ path: pathUriSchema, sandbox }));
export const readFileResult = lazy(() => z.object({ dataBase64: base64Bytes }));

export const writeFileParams = lazy(() =>
  z.object({
    path: pathUriSchema,
    /** Decoded where it is used: what is no base64 here is an invalid operation, not a parameter. */
    dataBase64: z.string(),
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
  z.object({ handleId: z.string(), path: pathUriSchema, sandbox })
);
export const openResult = lazy(() => z.object({ handleId: z.string() }));

export const readBlockParams = lazy(() =>
  z.object({
    handleId: z.string(),
    offset: unsignedInteger,
    /** 1 to {@linkcode MAX_READ_BLOCK_BYTES}; another number is an invalid operation. */
    len: unsignedInteger,
  })
);
export const readBlockResult = lazy(() => z.object({ chunk: base64Bytes, eof: z.boolean() }));

export const closeParams = lazy(() => z.object({ handleId: z.string() }));

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
