import { internalError } from "../../protocol/errors.ts";
import type { CommandToSandbox } from "../mechanism.ts";
import type { BoundPolicy } from "../policy/bound_policy.ts";
import { hostRealPath, type RealPath } from "./canonical_path.ts";
import { seatbeltProfile } from "./profile.ts";

/** The system's own: a program of that name elsewhere on PATH could be anyone's. */
const SANDBOX_EXEC = "/usr/bin/sandbox-exec";
const ENV = "/usr/bin/env";

/** What Seatbelt is to enforce. */
export interface SeatbeltRules {
  readonly policy: BoundPolicy;
  /**
   * Absolute paths; unix sockets there and below may be bound and connected to.
   *
   * @default none, but for a command that may use the whole network
   */
  readonly unixSockets?: readonly string[];
}

/**
 * The arguments that sandbox a command (sandbox-exec(1)). Directory and environment are those of the command itself.
 *
 * @throws {RpcError} -32603 if the policy cannot be enforced in full, or the command would not get
 * its name and variables exactly as they were asked for
 */
export function seatbeltCommand(
  { policy, unixSockets = [] }: SeatbeltRules,
  command: CommandToSandbox,
  realPath: RealPath = hostRealPath,
): string[] {
  const { argv, arg0 } = command;
  if (arg0 !== undefined && arg0 !== argv[0]) {
    throw internalError(
      "a sandboxed command cannot be given another name (arg0) on macOS; it was not started",
    );
  }
  const { text, definitions } = seatbeltProfile(policy, unixSockets, realPath);
  return [SANDBOX_EXEC, "-p", text, ...definitions, "--", ...withLinkerVariables(command)];
}

/**
 * The system takes the dynamic linker's variables from its own programs, sandbox-exec among them
 * (dyld(1), System Integrity Protection). So env(1) sets them again right before the command.
 */
function withLinkerVariables({ argv, env }: CommandToSandbox): readonly string[] {
  const taken = Object.entries(env).filter(([name]) => /^(DYLD_|LD_LIBRARY_PATH$)/.test(name));
  if (taken.length === 0) return argv;
  if (argv[0]?.includes("=") || argv[0]?.startsWith("-")) {
    throw internalError(
      `'${argv[0]}' cannot be started with the variable ${taken[0]?.[0]} in a sandbox on macOS; ` +
        "it was not started",
    );
  }
  return [ENV, ...taken.map(([name, value]) => `${name}=${value}`), ...argv];
}
