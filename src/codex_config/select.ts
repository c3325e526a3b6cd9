import { TomlDate, type TomlTable, type TomlValue } from "smol-toml";

/** The keys that lead to a value, from the outermost on. */
export type TomlPath = readonly string[];

/**
 * A table with those parts of another that paths lead to, and the tables on the way to them. A path
 * that leads nowhere adds nothing.
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
    // What has been taken whole has what the path leads to already.
    if (below !== value) copyInto(below, value, rest);
    into[key] = below;
  }
}

/** Whether a value is a table, and not one of the dates, which are objects, too. */
export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
}
