import { fileURLToPath } from "node:url";
import type { Outcome, Request } from "./perform.ts";
import { TestDirectory } from "../support/test_directory.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));

/** Turns a command into one that runs it under other conditions. */
export type Wrapper = (command: readonly string[]) => string[];

/** Performs requests one after the other in a process of its own. */
export async function performInChild(
  requests: readonly Request[],
  wrap: Wrapper = (command) => [...command],
): Promise<{ outcomes: Outcome[]; printed: string }> {
  await using directory = await TestDirectory.create();
  await directory.fill({ "requests": JSON.stringify(requests) });
  const [program = "", ...args] = wrap(childCommand(directory.at("requests")));
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program} failed: ${decoder.decode(stderr)}`);
  const lines = decoder.decode(stdout).trimEnd().split("\n");
  return { outcomes: JSON.parse(lines.pop() ?? ""), printed: lines.join("\n") };
}

/** The command that performs the requests in a file; see child.ts. */
export function childCommand(requests: string): string[] {
  return [Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all", CHILD, requests];
}

/** Takes root's right to pass over permissions. Others have none. */
export function withoutPrivileges(command: readonly string[]): string[] {
  if (Deno.uid() !== 0) return [...command];
  return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...command];
}

/** Keeps files from growing past so many bytes, a multiple of 1024. */
export function withFileSizeLimit(bytes: number): Wrapper {
  // Ignored, the signal that goes with the limit leaves it to the error.
  const script = `ulimit -f ${bytes / 1024}; trap '' XFSZ; exec "$@"`;
  return (command) => ["bash", "-c", script, "bash", ...command];
}

/** Mounts a file system of 1 MiB, which only the command sees, over a directory. */
export function withSmallDisk(directory: string): Wrapper {
  return afterMount('mount -t tmpfs -o size=1m none "$0"', directory);
}

/** Makes a file, for the command alone, a mount point, which nothing can take the name of. */
export function withMountedFile(file: string): Wrapper {
  return afterMount('mount --bind "$0" "$0"', file);
}

function afterMount(script: string, path: string): Wrapper {
  const namespace = ["unshare", "--user", "--map-root-user", "--mount"];
  return (command) => [...namespace, "sh", "-c", `${script} && exec "$@"`, path, ...command];
}

/** Whether a command can be run under these conditions here. */
export async function isPossible(wrap: Wrapper): Promise<boolean> {
  const [program = "", ...args] = wrap(["true"]);
  try {
    return (await new Deno.Command(program, { args }).output()).success;
  } catch {
    return false;
  }
}
