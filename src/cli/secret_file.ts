import { log } from "../log/log.ts";
import { UsageError } from "./usage_error.ts";

/** A file that a setting names. */
export interface NamedFile {
  readonly path: string;
  /** The setting's name for messages. */
  readonly setting: string;
}

const READABLE_BY_OTHERS = 0o004;

/**
 * Reads a file that holds one secret, without the white space around it.
 *
 * @throws {UsageError} naming the setting when it cannot be read, is empty or no text
 */
export async function readSecret(file: NamedFile): Promise<string> {
  const secret = (await readText(file)).trim();
  if (secret === "") throw new UsageError(`${file.setting}: ${file.path} is empty`);
  warnIfReadable(file);
  return secret;
}

/** Reads a file that holds a token. @throws {UsageError} naming the setting */
export async function readToken(file: NamedFile): Promise<string> {
  const token = await readSecret(file);
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(
    `${file.setting}: ${file.path} holds no token: one line of printable ASCII without blanks`,
  );
}

/** Reads a text file. @throws {UsageError} naming the setting */
export async function readText({ setting, path }: NamedFile): Promise<string> {
  const bytes = await Deno.readFile(path).catch((error) => {
    throw new UsageError(`${setting}: cannot read ${path}: ${wordsOf(error)}`);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${setting}: ${path} is not a text file`);
  }
}

/** Warns of a secret that others can read; mounted volumes may have such modes, so it is accepted. */
export function warnIfReadable({ setting, path }: NamedFile): void {
  const { mode } = Deno.statSync(path);
  if (mode === null || (mode & READABLE_BY_OTHERS) === 0) return;
  log("warn", "every user of this machine can read a secret file; use chmod 600", {
    option: setting,
  });
}

/** The system's message without the operation and the path, which Deno appends. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replace(/: (open|readfile|readall) .*$/, "");
}
