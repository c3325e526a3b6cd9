import { methods } from "../../protocol/methods.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/** The handler of `fs/watchMissing`. What its watch sees is told to the connection itself. */
export function missingWatchHandlers(): Record<string, RequestHandler> {
  return {
    "fs/watchMissing": handler(
      methods["fs/watchMissing"],
      async (params, { missing }) => ({ watching: await missing.start(params) }),
    ),
  };
}
