import { isPrivateDirectory } from "../os/private_directory.ts";

/** ssh adds 57 characters, and the address of a socket takes no more than 103 (unix(7), on macOS). */
const MAX_LENGTH = 45;
/** What means nothing else to ssh, which replaces and parts words of its options. */
const PLAIN = /^[\w/.@+-]*$/;

/**
 * A private directory for the sockets by which calls of ssh share a connection; undefined if there can be
 * none.
 */
export function sharingDirectory(
  { XDG_RUNTIME_DIR, XDG_CACHE_HOME, HOME }: Readonly<Record<string, string>>,
): string | undefined {
  const cache = XDG_CACHE_HOME ?? (HOME && `${HOME}/.cache`);
  return [XDG_RUNTIME_DIR, cache].flatMap((place) => place ? [`${place}/remex/ssh`] : [])
    .find((path) => path.length <= MAX_LENGTH && PLAIN.test(path) && isPrivateDirectory(path));
}

/** How long a connection stays after the last call, in seconds, as Ansible has it. */
const PERSIST_SECONDS = 60;
/** A connection that is dead would hold up whoever shares it. */
const ALIVE = ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2"];

/**
 * The options of ssh by which a call shares its connection. Whoever shares connections by the configuration
 * of ssh has them shared that way.
 *
 * @param settings what `ssh -G` prints of the call
 */
export function sharingOptions(settings: string, directory: string): readonly string[] {
  const lines = settings.split("\n");
  if (!lines.includes("controlmaster false")) return [];
  if (lines.some((line) => line.startsWith("controlpath "))) return [];
  return [
    ...["-o", "ControlMaster=auto", "-o", `ControlPath=${directory}/%C`],
    ...["-o", `ControlPersist=${PERSIST_SECONDS}`],
    ...lines.includes("serveraliveinterval 0") ? ALIVE : [],
  ];
}
