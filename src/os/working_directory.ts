import { PATH_MAX } from "./constants.ts";
import { linuxTable } from "./libc.ts";

const libc = linuxTable({ getcwd: { parameters: ["buffer", "usize"], result: "pointer" } });

/**
 * The path of this program's working directory, as bytes on Linux, since it need not be UTF-8;
 * undefined if the directory is gone (getcwd(3)).
 */
export function workingDirectory(): string | Uint8Array | undefined {
  const functions = libc();
  if (functions === undefined) return Deno.cwd();
  const buffer = new Uint8Array(PATH_MAX);
  if (functions.getcwd(buffer, BigInt(buffer.length)) === null) return undefined;
  return buffer.subarray(0, buffer.indexOf(0));
}
