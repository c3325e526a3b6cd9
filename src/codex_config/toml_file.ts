import { isNotFound } from "../filesystem/io_error.ts";
import { openRegularFile } from "../filesystem/open.ts";
import { parse, TomlDate, TomlError, type TomlTable, type TomlValue } from "smol-toml";

/** Largest configuration that is read, in bytes: more than anybody writes by hand. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A configuration file exists and cannot be used. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";
}

/**
 * Reads a TOML file (https://toml.io/en/v1.0.0). Whole numbers are kept apart from others.
 *
 * @returns undefined if there is none
 * @throws {ConfigFileError} naming the file and what is wrong with it
 */
export async function readTomlFile(path: string): Promise<TomlTable | undefined> {
  try {
    const text = await readText(path);
    return text === undefined ? undefined : parse(text, { integersAsBigInt: true });
  } catch (error) {
    throw new ConfigFileError(`${path}${whatIsWrong(error)}`);
  }
}

/** Position and reason, to be read after the path, without the excerpt of the file. */
function whatIsWrong(error: unknown): string {
  const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  const place = error instanceof TomlError ? `:${error.line}:${error.column}` : "";
  return `${place}: ${reason}`;
}

/**
 * Reads a regular file that belongs to the configuration.
 *
 * @returns undefined if there is none
 * @throws the system's error, {@linkcode ConfigFileError} if it is too large, and RpcError for what
 * is no file: reading a FIFO or a device might never end
 */
export async function readText(path: string): Promise<string | undefined> {
  try {
    const { file, size } = await openRegularFile(path);
    await using _closing = file;
    if (size > MAX_BYTES) throw new ConfigFileError(`larger than ${MAX_BYTES} bytes`);
    return await file.readFile("utf8");
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The keys that lead to a value, from the outermost on. */
export type TomlPath = readonly string[];

/**
 * A table with the values of another one at the given paths. A path without a value adds nothing.
 */
export function select(table: TomlTable, paths: readonly TomlPath[]): TomlTable {
  // Without a prototype, so that a key may have any name.
  const selected: TomlTable = Object.create(null);
  for (const path of paths) copyInto(selected, table, path);
  return selected;
}

function copyInto(into: TomlTable, from: TomlTable, [key, ...rest]: TomlPath): void {
  const value = key !== undefined && Object.hasOwn(from, key) ? from[key] : undefined;
  if (key === undefined || value === undefined) return;
  if (rest.length === 0) {
    into[key] = value;
  } else if (isTable(value)) {
    const known = into[key];
    const below: TomlTable = known !== undefined && isTable(known) ? known : Object.create(null);
    // A table that was taken whole has the value already.
    if (below !== value) copyInto(below, value, rest);
    into[key] = below;
  }
}

/** Whether a value is a table; dates are objects too. */
export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
}
