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
