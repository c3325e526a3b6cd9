import HOST_RELAY from "./host_relay.pl" with { type: "text" };
import HOST_SCRIPT from "./host_script.sh" with { type: "text" };
import { sharingDirectory, sharingOptions } from "./shared_connections.ts";
import type { HostProgram, SshOptions } from "./ssh_connector.ts";

/** How long an executor on a host lives without anything to do, in seconds. */
const IDLE_SECONDS = 600;
/** How often either side of ssh is heard at the least, in seconds. */
export const HEARTBEAT_SECONDS = 5;
/** A call of OpenSSH's, with whatever arguments. */
const OPENSSH = /^(\S*\/)?ssh( |$)/;

/** What differs from one call of ssh to the next. */
interface SshCall {
  /** Whether somebody may be asked for a passphrase. */
  readonly asks: boolean;
  /** Whether the call may share the connection of others. */
  readonly mayShare: boolean;
  /** Aborted when nobody wants it any more, before it has been made. */
  readonly signal: AbortSignal;
}

/**
 * Calls ssh to find a program on a host, and an executor of it.
 *
 * ssh shares our terminal, as it may have to ask for a passphrase, but not our signals: a Ctrl-C is for
 * the command. ssh leaves signals ignored that it was started to ignore.
 *
 * @throws what the signal was aborted for
 */
export async function callSsh(
  { destination: { host, port }, sshCommand = "ssh", connectTimeout }: SshOptions,
  { name, size }: HostProgram,
  { asks, mayShare, signal }: SshCall,
): Promise<Deno.ChildProcess> {
  const batch = asks ? [] : ["-o", "BatchMode=yes"];
  const options = ["-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes", ...batch];
  if (connectTimeout !== undefined) {
    options.push("-o", `ConnectTimeout=${Math.ceil(connectTimeout)}`);
  }
  const remote = `exec /bin/sh -c '${inOneLine(HOST_SCRIPT)}' remex ` +
    `${name} ${size} ${IDLE_SECONDS} ${HEARTBEAT_SECONDS} '${inOneLine(HOST_RELAY)}'`;
  const args = [
    "-T",
    ...options,
    ...port === undefined ? [] : ["-p", `${port}`],
    "--",
    host,
    remote,
  ];
  const sharing = mayShare ? await sharingFor(sshCommand, args, signal) : [];
  return new Deno.Command("/bin/sh", {
    args: [
      ...["-c", `trap "" INT QUIT HUP; exec ${sshCommand} "$@"`, "remex"],
      ...[...sharing, ...args],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The options by which a call of ssh with these arguments shares its connection. */
async function sharingFor(
  sshCommand: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  // Another program would be asked for its settings in vain.
  const directory = OPENSSH.test(sshCommand) && sharingDirectory(Deno.env.toObject());
  if (!directory) return [];
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", `exec ${sshCommand} -G "$@"`, "remex", ...args],
    stdin: "null",
    stderr: "null",
    signal,
  }).output();
  signal.throwIfAborted();
  return sharingOptions(new TextDecoder().decode(stdout), directory);
}

/** A script without its comments in one line, as every login shell takes it. */
function inOneLine(script: string): string {
  return script.replaceAll(/^ *#.*\n/gm, "").trim().replaceAll(/\n\s*/g, " ");
}
