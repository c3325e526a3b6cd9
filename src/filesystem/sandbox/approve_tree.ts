import { childOf } from "../../sandbox/native_path.ts";
import type { Place } from "../paths.ts";
import type { Judge } from "./judge.ts";

/**
 * Refuses to copy a directory if something in it may not be read, or may not be written where it
 * would go. Without exceptions below the one and the other there is nothing to look at.
 *
 * @param destination free of links
 * @throws {RpcError}
 */
export async function approveTree(
  source: Place,
  destination: string,
  judge: Judge,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (isUniform(source.name, "read", judge) && isUniform(destination, "write", judge)) return;
  for await (const { name, isDirectory } of source.entries()) {
    signal?.throwIfAborted();
    const to = childOf(destination, name);
    judge.check(to, "write");
    using child = source.child(name);
    if (isDirectory) await approveTree(child, to, judge, signal);
  }
}

function isUniform(directory: string, use: "read" | "write", judge: Judge): boolean {
  return judge.exceptionBelow(directory, use) === undefined && !judge.mayDenyBelow(directory);
}
