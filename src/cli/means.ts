import { resolve } from "@std/path";
import type { Configuration } from "../config/configuration.ts";
import type { CommandLimiter } from "../process/command_limits.ts";
import type { AuditLog } from "../server/audit_log.ts";
import type { ServeOptions } from "./serve_options.ts";

/** What keeps commands within limits, where there are some. @throws {ConfigurationError} */
export async function limiterFor(
  { commandLimits }: ServeOptions,
  configuration: Configuration,
): Promise<CommandLimiter | undefined> {
  if (commandLimits === undefined) return undefined;
  const { CommandLimiter } = await import("../process/command_limits.ts");
  try {
    return new CommandLimiter(commandLimits);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw configuration.wrong("commandLimits", `: ${reason}`);
  }
}

/** The audit log, where there is one. @throws {ConfigurationError} */
export async function auditLogFor(
  { auditLog: path }: ServeOptions,
  configuration: Configuration,
  required: boolean,
): Promise<AuditLog | undefined> {
  if (path === undefined) return undefined;
  const { AuditLog, AuditLogError } = await import("../server/audit_log.ts");
  try {
    return await AuditLog.open(resolve(path), required);
  } catch (error) {
    if (!(error instanceof AuditLogError)) throw error;
    throw configuration.wrong("auditLog", `: ${path} ${error.message}`);
  }
}

/** What an executor is given beside its options; each is missing where nobody asked for it. */
export interface Means {
  readonly limiter: CommandLimiter | undefined;
  readonly audit: AuditLog | undefined;
}
