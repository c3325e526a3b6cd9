import { cString } from "./c_strings.ts";
import { libc } from "./libc.ts";

const F_OK = 0;

/** Paths that have been asked for, each by one thread, of which the runtime has 32. */
const asked = new Map<string, Promise<unknown>>();

/**
 * Waits until the file systems that paths lead to have answered once, whatever the answer. Nobody
 * else waits: another thread asks. Elsewhere than on Linux nothing is asked.
 *
 * A network file system whose server is gone, or a FUSE file system whose program hangs, does not
 * answer for minutes, or ever. Whatever is done with such a path on the main thread, be it to start a
 * command there, would hold up all clients.
 */
export async function untilAnswered(paths: Iterable<string>): Promise<void> {
  await Promise.all(Array.from(paths, (path) => asked.get(path) ?? ask(path)));
}

function ask(path: string): Promise<unknown> | undefined {
  const answer = libc?.access(cString(path), F_OK).finally(() => asked.delete(path));
  if (answer !== undefined) asked.set(path, answer);
  return answer;
}
