import { basename, dirname, normalize } from "@std/path/posix";
import { withoutCapabilities } from "../../os/capabilities.ts";
import { ancestorsOf } from "../../os/native_path.ts";
import { isOnKernelFileSystem, openWithoutLinks } from "../../os/open_at.ts";
import type { Params, ResultInput } from "../../protocol/methods.ts";
import { directAnswer, localPath, withEntry } from "../fast_path.ts";
import type { FileMethod } from "../operations.ts";
import type { AccessPolicy } from "./access_policy.ts";

/** What the requests that can be done directly need of a path: what is not allowed throws. */
const NEEDS: { readonly [M in FileMethod]?: (path: string, policy: AccessPolicy) => void } = {
  "fs/getMetadata": (path, policy) => policy.check(path, "look"),
  "fs/readFile": (path, policy) => policy.check(path, "read"),
  "fs/writeFile": (path, policy) => policy.checkName(path),
};

/**
 * Does a small sandboxed request about a file on a local file system at once, with no more rights
 * than the thread has that does the others.
 *
 * No link on the way is followed: a command may have made one that leads to a file system which does
 * not answer. What is the kernel's is left to others, too.
 *
 * @returns undefined if it is not small or plain, or not allowed: nothing has been done then, and
 * whoever does it otherwise knows what to say
 */
export function answerDirectlyWithin<M extends FileMethod>(
  policy: AccessPolicy,
  method: M,
  params: Params<M>,
): ResultInput<M> | undefined {
  const [need, answer] = [NEEDS[method], directAnswer(method)];
  if (need === undefined || answer === undefined) return undefined;
  try {
    const path = localPath(params);
    if (path === undefined || normalize(path) !== path) return undefined;
    if (![...ancestorsOf(path), path].every((passed) => isReachable(passed, policy))) {
      return undefined;
    }
    need(path, policy);
    return withoutCapabilities(() =>
      withEntry(
        openWithoutLinks(dirname(path)),
        basename(path),
        (entry) => isOnKernelFileSystem(entry.directory) ? undefined : answer(params, entry),
      )
    );
  } catch {
    return undefined;
  }
}

function isReachable(path: string, policy: AccessPolicy): boolean {
  return policy.isPassable(path) && !policy.isHidden(path);
}
