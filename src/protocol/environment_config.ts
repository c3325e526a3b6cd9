import { lazy, pathUriSchema, unsignedInteger } from "./schema_parts.ts";
import * as z from "zod/mini";

/** The keys that lead to a value of a TOML document, from the outermost on. */
const tomlPath = z.array(z.string()).check(
  z.minLength(1, "must contain at least one key"),
);

/** Which parts of the Codex CLI's configuration on the executor's machine a client asks for. */
export const readParams = lazy(() =>
  z.object({
    /** The directory whose project's configuration counts. */
    cwd: pathUriSchema,
    configPaths: z.array(tomlPath),
    requirementsPaths: z.array(tomlPath),
  })
);

const layers = lazy(() =>
  z.object({
    /** From the weakest to the strongest; without those that have nothing of what was asked for. */
    layers: z.array(z.object({
      /** What the layer is, for people. */
      source: z.string(),
      /** What relative paths in it start at. */
      baseDir: pathUriSchema,
      /** A document of its own with what was asked for. */
      toml: z.string(),
    })),
    /** Before which layer the client puts what it gets from elsewhere for the whole organisation. */
    cloudInsertionIndex: unsignedInteger,
  })
);

export const readResult = lazy(() =>
  z.object({
    userHomeDir: pathUriSchema,
    codexHomeDir: pathUriSchema,
    hostname: z.string(),
    config: layers,
    requirements: layers,
  })
);
