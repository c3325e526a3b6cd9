import { parseSshDestination } from "../ssh/destination.ts";
import type { SshConnector, SshOptions } from "../ssh/ssh_connector.ts";
import { writeErrorLine } from "../log/standard_error.ts";
import { progressText } from "./progress_line.ts";
import { UsageError } from "./usage_error.ts";
import { say } from "./say.ts";

/** The options of every command that reaches a host by ssh. */
export const SSH_OPTIONS = {
  ssh: {
    type: "string",
    placeholder: "HOST",
    meaning: "reach [USER@]HOST[:PORT] by ssh, which puts remex there if it is not",
  },
  "ssh-command": {
    type: "string",
    placeholder: "COMMAND",
    meaning: "with --ssh: how ssh is called, as `ssh -F FILE` (default ssh)",
    rare: true,
  },
  binary: {
    type: "string",
    placeholder: "FILE",
    meaning: "with --ssh: the remex for the host's platform",
    rare: true,
  },
} as const;

/** How long it may take to put this program onto a host, in milliseconds. */
export const UPLOAD_TIMEOUT_MS = 3_600_000;

/** The values of these options. */
export type SshValues = { readonly [Name in keyof typeof SSH_OPTIONS]?: string | undefined };

/** What the options say; undefined without `--ssh`. @throws {UsageError} */
export function sshOptions(values: SshValues): SshOptions | undefined {
  const { ssh, "ssh-command": sshCommand, binary } = values;
  if (ssh === undefined) {
    if (sshCommand !== undefined) throw new UsageError("--ssh-command is of use with --ssh only");
    if (binary !== undefined) throw new UsageError("--binary is of use with --ssh only");
    return undefined;
  }
  try {
    return { destination: parseSshDestination(ssh), sshCommand, binary, ...progressOnTerminal() };
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`--ssh: ${error.message}`);
    throw error;
  }
}

/**
 * What reaches the host.
 *
 * @param connectTimeoutMs how long ssh may take to connect, in milliseconds
 */
export async function sshConnector(
  options: SshOptions,
  connectTimeoutMs: number,
): Promise<SshConnector> {
  const { SshConnector } = await import("../ssh/ssh_connector.ts");
  return new SshConnector({ ...options, connectTimeout: connectTimeoutMs / 1000 });
}

/** Shows how much has been sent, where somebody looks. */
function progressOnTerminal(): Pick<SshOptions, "onProgress" | "onNotice"> {
  if (!Deno.stderr.isTerminal()) return {};
  return {
    onNotice: (text) => say(text),
    onProgress: (sent, all) => {
      writeErrorLine(`\r${progressText(sent, all)}`, sent === all ? "\r\n" : "");
    },
  };
}
