/** Where ssh(1) is to connect to. */
export interface SshDestination {
  /** `HOST` or `USER@HOST`, as ssh takes it. */
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * Reads `[USER@]HOST[:PORT]`; an IPv6 address with a port is in brackets.
 *
 * @throws {TypeError} naming what is wrong
 */
export function parseSshDestination(text: string): SshDestination {
  const match =
    /^((?:[^\s@:[\]]+@)?)(?:\[([^\s[\]]+)\]|([^\s:[\]]+)|([0-9a-fA-F:.]+(?:%\w+)?))(?::(\d{1,5}))?$/
      .exec(text);
  const [, user = "", bracketed, name, address, port] = match ?? [];
  const host = bracketed ?? name ?? address;
  // What begins with a dash would be an option of ssh's.
  if (host === undefined || text.startsWith("-") || host.startsWith("-") || Number(port) > 65535) {
    throw new TypeError(`\`${text}\` is not [USER@]HOST[:PORT]`);
  }
  return { host: user + host, port: port === undefined ? undefined : Number(port) };
}
