import { methods } from "../../protocol/methods.ts";
import { enforceNoBareFiles, type SandboxBounds } from "../../sandbox/bounds.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/**
 * The handler of `fs/watchMissing`, which takes no sandbox. What its watch sees is told to the
 * connection itself.
 */
export function missingWatchHandlers(bounds?: SandboxBounds): Record<string, RequestHandler> {
  return {
    "fs/watchMissing": handler(
      methods["fs/watchMissing"],
      async (params, { missing }) => {
        enforceNoBareFiles(bounds);
        return { watching: await missing.start(params) };
      },
    ),
  };
}
