import * as z from "zod";
import { pathUriSchema } from "./path_uri_schema.ts";
import { sandboxContext } from "./sandbox.ts";
import { base64Bytes, defaulted, optional, unsignedInteger } from "./schema_parts.ts";

const sandbox = optional(sandboxContext);

/** Bytes in one `fs/readBlock` answer at the most. */
export const MAX_READ_BLOCK_BYTES = 1024 * 1024;

export const readFileParams = z.object({ path: pathUriSchema, sandbox });
export const readFileResult = z.object({ dataBase64: base64Bytes });

export const writeFileParams = z.object({
  path: pathUriSchema,
  dataBase64: base64Bytes,
  sandbox,
});

export const createDirectoryParams = z.object({
  path: pathUriSchema,
  recursive: defaulted(z.boolean(), true),
  sandbox,
});

export const getMetadataParams = z.object({ path: pathUriSchema, sandbox });
export const getMetadataResult = z.object({
  isDirectory: z.boolean(),
  isFile: z.boolean(),
  /** Of the path itself; the other members describe what it leads to. */
  isSymlink: z.boolean(),
  size: unsignedInteger,
  /** Milliseconds since 1970; 0 where the system keeps no creation time. */
  createdAtMs: z.int(),
  modifiedAtMs: z.int(),
});

export const canonicalizeParams = z.object({ path: pathUriSchema, sandbox });
export const canonicalizeResult = z.object({ path: pathUriSchema });

export const readDirectoryParams = z.object({ path: pathUriSchema, sandbox });
export const readDirectoryResult = z.object({
  entries: z.array(z.object({
    fileName: z.string(),
    isDirectory: z.boolean(),
    isFile: z.boolean(),
  })),
});

export const walkParams = z.object({
  path: pathUriSchema,
  options: z.object({
    maxDepth: unsignedInteger,
    maxDirectories: unsignedInteger,
    maxEntries: unsignedInteger,
    followDirectorySymlinks: z.boolean(),
  }),
  sandbox,
});
export const walkResult = z.object({
  entries: z.array(z.object({ path: pathUriSchema, kind: z.enum(["directory", "file"]) })),
  errors: z.array(z.object({ path: pathUriSchema, message: z.string() })),
  /** Whether a limit of the request cut the listing short. */
  truncated: z.boolean(),
});

export const removeParams = z.object({
  path: pathUriSchema,
  recursive: defaulted(z.boolean(), true),
  force: defaulted(z.boolean(), true),
  sandbox,
});

export const copyParams = z.object({
  sourcePath: pathUriSchema,
  destinationPath: pathUriSchema,
  recursive: z.boolean(),
  sandbox,
});

export const openParams = z.object({ handleId: z.string(), path: pathUriSchema, sandbox });
export const openResult = z.object({ handleId: z.string() });

export const readBlockParams = z.object({
  handleId: z.string(),
  offset: unsignedInteger,
  len: z.int().min(1).max(MAX_READ_BLOCK_BYTES),
});
export const readBlockResult = z.object({ chunk: base64Bytes, eof: z.boolean() });

export const closeParams = z.object({ handleId: z.string() });
