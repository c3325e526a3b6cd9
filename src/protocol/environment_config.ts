import { lazy, pathUriSchema, unsignedInteger } from "./schema_parts.ts";
import * as z from "zod/mini";

/** The keys that lead to a value of a TOML document, from the outermost on. */
const tomlPath = z.array(z.string()).check(
  z.minLength(1, "must contain at least one key"),
);

/** The parts of the Codex CLI's configuration on the executor's machine that a client asks for. */
export const readParams = lazy(() =>
  z.object({
    /** The directory whose project's configuration applies. */
    cwd: pathUriSchema,
    configPaths: z.array(tomlPath),
    requirementsPaths: z.array(tomlPath),
  })
);

const layers = lazy(() =>
  z.object({
    /** In ascending rank, without layers that have none of the requested parts. */
    layers: z.array(z.object({
      /** The name of the layer, for people. */
      source: z.string(),
      /** The directory that relative paths in the layer start from. */
      baseDir: pathUriSchema,
      /** A TOML document with the requested parts. */
      toml: z.string(),
    })),
    /** The index of the layer before which the client inserts its organisation's configuration. */
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
