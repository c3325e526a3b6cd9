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
  /** The members of the value, if it is an object. */
  readonly members: readonly Member[] | undefined;
}

/**
 * Reads a file of the administrator, which need not exist.
 *
 * @throws {ConfigurationError} when it exists, or may exist, and cannot be read
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
 * Whether the administrator's directory exists. It looks without causing an error, as the program's first
 * Error takes 1.5 ms of its start.
 *
 * @throws {ConfigurationError} if it exists and cannot be reached
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
 * Reads the user's own file, which need not exist. It counts as missing if HOME is another user's home,
 * which this user cannot enter.
 *
 * @throws {ConfigurationError} when it exists and cannot be read
 */
export function readUserFile(path: string): string | undefined {
  return existsSync(path) ? readFile(path) : undefined;
}

/** Reads a text file. @throws {ConfigurationError} naming it */
export function readFile(path: string): string {
  try {
    // Reading a FIFO or a device might never end.
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
 * Reads the members of an object in JSON with comments.
 *
 * @param file the path of the text, for messages
 * @throws {ConfigurationError} naming the file and the line
 */
export async function parseMembers(text: string, file: string): Promise<readonly Member[]> {
  // The parser is loaded only if there are files.
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
          `${file}:${line}: \`${key}\` was given already in line ${earlier}`,
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

/** The key that names the JSON Schema of a file for editors; the program ignores it. */
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
  // The message without the operation and the path, which Deno appends.
  const reason = words.replace(/(:|,) (l?stat|open|readdir|readfile|read)\b.*$/, "");
  return new ConfigurationError(`cannot read ${path}: ${reason}`);
}
