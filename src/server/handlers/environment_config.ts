import { methods } from "../../protocol/methods.ts";
import { enforceNoBareFiles, type SandboxBounds } from "../../sandbox/bounds.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/** The handler of `environmentConfig/read`, which takes no sandbox. */
export function environmentConfigHandlers(
  variable: (name: string) => string | undefined,
  bounds?: SandboxBounds,
): Record<string, RequestHandler> {
  return {
    "environmentConfig/read": handler(methods["environmentConfig/read"], async (params) => {
      enforceNoBareFiles(bounds);
      const { readCodexConfig } = await import("../../codex_config/read.ts");
      return await readCodexConfig(params, variable);
    }),
  };
}
