/**
 * All addresses of a host, in the order in which the system wants them to be tried
 * (getaddrinfo(3), RFC 6724). An address stands for itself.
 *
 * @param hostname without brackets
 * @throws {Deno.errors.NotFound} for a name that has none
 */
export async function addressesOf(hostname: string): Promise<readonly string[]> {
  if (isAddress(hostname)) return [hostname];
  const { lookup } = await import("node:dns/promises");
  try {
    const found = await lookup(hostname, { all: true, verbatim: true });
    return [...new Set(found.map(({ address }) => address))];
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [hostname];
    throw new Deno.errors.NotFound(`no address is known for ${hostname}`, { cause: error });
  }
}

function isAddress(hostname: string): boolean {
  return hostname.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(hostname);
}
