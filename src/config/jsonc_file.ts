import { ConfigurationError, type FilePosition } from "./origin.ts";
import type { ValueType } from "./value_types.ts";
import type { ObjectNode } from "@humanwhocodes/momoa";
import { existsSync, lstatSync } from "node:fs";
import { basename, dirname } from "@std/path";

/** One `"key": value` of a file. */
export interface Member {
  readonly key: string;
  readonly value: unknown;
  readonly position: FilePosition;
  /** Those of the value, if it is an object. */
  readonly members: readonly Member[] | undefined;
}

/**
 * Reads a file of the administrator's, that need not be there.
 *
 * @throws {ConfigurationError} when anything else than its absence keeps it from being read
 */
export function readSystemFile(path: string): string | undefined {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  } catch (error) {
    const { message } = unreadable(path, error);
    throw new ConfigurationError(
      `${message}; \`chmod 755 ${dirname(path)}\` lets every user do so`,
    );
  }
  return readFile(path);
}

/**
 * Whether a directory of the administrator's is there, as far as can be seen from above it: asking
 * for what is not there takes the program's first Error, and 1.5 ms of its start.
 *
 * @throws {ConfigurationError} if it is there and cannot be reached
 */
export function isSystemDirectory(path: string): boolean {
  if (existsSync(path)) return true;
  if (namesIn(dirname(path)).includes(basename(path))) {
    throw new ConfigurationError(`${path} cannot be reached`);
  }
  return false;
}

function namesIn(directory: string): string[] {
  try {
    return Array.from(Deno.readDirSync(directory), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw unreadable(directory, error);
  }
}

/**
 * Reads a file of a user's own, that need not be there. It is not where it would be in somebody
 * else's home, which users have that programs run as.
 *
 * @throws {ConfigurationError} when it is there and cannot be read
 */
export function readUserFile(path: string): string | undefined {
  return existsSync(path) ? readFile(path) : undefined;
}

/** Reads a text file. @throws {ConfigurationError} naming it */
export function readFile(path: string): string {
  try {
    // Reading anything else might never end.
    if (!Deno.statSync(path).isFile) {
      throw new ConfigurationError(`${path} is not a regular file`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) throw new ConfigurationError(`${path} is not a text file`);
    throw unreadable(path, error);
  }
}

/**
 * Reads the members of the object that a text of JSON with comments is.
 *
 * @param file where the text is from, for messages
 * @throws {ConfigurationError} naming the file and the line
 */
export async function parseMembers(text: string, file: string): Promise<readonly Member[]> {
  // Nothing of it is needed where there are no files.
  const { evaluate, parse } = await import("@humanwhocodes/momoa");
  const { body } = parsed();
  if (body.type === "Object") return membersOf(body);
  throw new ConfigurationError(`${file}:${body.loc.start.line}: an object is expected: { … }`);

  function parsed() {
    try {
      return parse(text, { mode: "jsonc", allowTrailingCommas: true });
    } catch (error) {
      const line = error instanceof Error && "line" in error ? error.line : 1;
      const reason = error instanceof Error ? error.message.replace(/ \(\d+:\d+\)$/, "") : error;
      throw new ConfigurationError(`${file}:${line}: this is not JSON with comments: ${reason}`);
    }
  }

  function membersOf(object: ObjectNode): Member[] {
    const lines = new Map<string, number>();
    return object.members.map(({ name, value, loc }) => {
      const key = name.type === "String" ? name.value : name.name;
      const { line } = loc.start;
      const earlier = lines.get(key);
      if (earlier !== undefined) {
        throw new ConfigurationError(
          `${file}:${line}: \`${key}\` was given already, in line ${earlier}`,
        );
      }
      lines.set(key, line);
      return {
        key,
        value: evaluate(value),
        position: { file, line },
        members: value.type === "Object" ? membersOf(value) : undefined,
      };
    });
  }
}

/** Names the JSON Schema of a file, for editors. It says nothing to the program. */
export const SCHEMA_KEY = "$schema";

/** Checks a member's value. @throws {ConfigurationError} naming the file, the line and the key */
export function acceptedValue<T>({ key, value, position }: Member, type: ValueType<T>): T {
  const { file, line } = position;
  if (type.accepts(value)) return type.inDirectory?.(value, dirname(file)) ?? value;
  const given = type.delicate === true ? "" : `, not ${abbreviated(JSON.stringify(value))}`;
  throw new ConfigurationError(`${file}:${line}: \`${key}\` must be ${type.expected}${given}`);
}

const MAX_SHOWN = 60;

function abbreviated(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

function unreadable(path: string, error: unknown): ConfigurationError {
  if (error instanceof ConfigurationError) return error;
  const words = error instanceof Error ? error.message : String(error);
  // They end with the operation and the path, which is told already.
  const reason = words.replace(/(:|,) (l?stat|open|readdir|readfile|read)\b.*$/, "");
  return new ConfigurationError(`cannot read ${path}: ${reason}`);
}
