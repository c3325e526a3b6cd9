import { methods } from "../../protocol/methods.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/** The handler of `environmentConfig/read`. */
export function environmentConfigHandlers(
  variable: (name: string) => string | undefined,
): Record<string, RequestHandler> {
  return {
    "environmentConfig/read": handler(methods["environmentConfig/read"], async (params) => {
      const { readCodexConfig } = await import("../../codex_config/read.ts");
      return await readCodexConfig(params, variable);
    }),
  };
}
