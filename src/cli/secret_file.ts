import { log } from "../telemetry/log.ts";
import { UsageError } from "./usage_error.ts";

const READABLE_BY_OTHERS = 0o004;

/**
 * Reads a file that holds one secret, without the white space around it.
 *
 * @throws {UsageError} naming the option when it cannot be read, is empty or no text
 */
export async function readSecret(option: string, path: string): Promise<string> {
  const secret = (await readText(option, path)).trim();
  if (secret === "") throw new UsageError(`${option}: ${path} is empty`);
  warnIfReadable(option, path);
  return secret;
}

/** Reads a text file that an option names. @throws {UsageError} naming the option */
export async function readText(option: string, path: string): Promise<string> {
  const bytes = await Deno.readFile(path).catch((error) => {
    throw new UsageError(`${option}: cannot read ${path}: ${wordsOf(error)}`);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${option}: ${path} is not a text file`);
  }
}

/** Warns of a file that others can read. It is not refused, as volumes may come with such modes. */
export function warnIfReadable(option: string, path: string): void {
  const { mode } = Deno.statSync(path);
  if (mode === null || (mode & READABLE_BY_OTHERS) === 0) return;
  log("warn", `${option}: every user of this machine can read ${path}; chmod 600 changes that`);
}

/** Deno's words end with the operation and the path, which are told already. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replace(/: (open|readfile|readall) .*$/, "");
}
