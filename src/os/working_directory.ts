import { libc } from "./libc.ts";

const PATH_MAX = 4096;

/**
 * The path of this program's working directory, as bytes on Linux, since it need not be UTF-8;
 * undefined if the directory is gone (getcwd(3)).
 */
export function workingDirectory(): string | Uint8Array | undefined {
  if (libc === undefined) return Deno.cwd();
  const buffer = new Uint8Array(PATH_MAX);
  if (libc.getcwd(buffer, BigInt(buffer.length)) === null) return undefined;
  return buffer.subarray(0, buffer.indexOf(0));
}
