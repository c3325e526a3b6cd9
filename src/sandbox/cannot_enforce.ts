import { internalError, type RpcError } from "../protocol/errors.ts";

/** Why a sandbox cannot be enforced on this machine: the cause of the error that a client gets. */
export class SandboxUnavailable extends Error {
  override readonly name = "SandboxUnavailable";
  /** What would help, if anything is known to. */
  readonly fix: string | undefined;

  constructor(reason: string, fix: string | undefined) {
    super(reason);
    this.fix = fix;
  }
}

/** The refusal of a sandbox that cannot be enforced here (-32603). */
export function cannotEnforce(reason: string, fix?: string): RpcError {
  const how = fix === undefined ? "" : ` (${fix})`;
  return internalError(
    `the sandbox cannot be enforced here: ${reason}${how}; nothing was started`,
    new SandboxUnavailable(reason, fix),
  );
}
