const V4 = /^\d{1,3}(\.\d{1,3}){3}$/;

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
  return hostname.includes(":") || V4.test(hostname);
}

/**
 * Reads the text of an IP address into 16 bytes; those of IPv4 are mapped (RFC 4291, section
 * 2.5.5.2), and a zone (RFC 4007) is left out. Undefined for anything else.
 */
export function parseAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  const host = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const bytes = new Uint8Array(16);
  if (V4.test(host)) {
    const parts = host.split(".").map(Number);
    if (parts.some((part) => part > 255)) return undefined;
    bytes.set([0xff, 0xff, ...parts], 10);
    return bytes;
  }
  // The parser of URLs brings every spelling of an IPv6 address into one.
  const spelled = host.includes(":") ? URL.parse(`http://[${host}]`)?.hostname : undefined;
  if (spelled === undefined) return undefined;
  const [head = "", tail] = spelled.slice(1, -1).split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":");
  const view = new DataView(bytes.buffer);
  groups(head).forEach((group, index) => view.setUint16(2 * index, Number.parseInt(group, 16)));
  if (tail === undefined) return bytes;
  const last = groups(tail);
  last.forEach((group, index) =>
    view.setUint16(16 - 2 * (last.length - index), Number.parseInt(group, 16))
  );
  return bytes;
}
