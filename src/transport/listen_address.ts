/** An address that an executor listens on. */
export type ListenAddress =
  | { readonly kind: "websocket"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "stdio" };

/**
 * Reads `ws://HOST:PORT`, `unix:PATH`, `stdio` or `stdio://`.
 *
 * @throws {Error} naming what is wrong
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text === "stdio" || text === "stdio://") return { kind: "stdio" };
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw new Error(`\`${text}\` names no path`);
    return { kind: "unix", path };
  }
  const match = /^ws:\/\/(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]]+):(\d{1,5})\/?$/.exec(text);
  const [, host, port] = match ?? [];
  if (host === undefined || Number(port) > 65535) {
    throw new Error(`\`${text}\` is not ws://HOST:PORT, unix:PATH or stdio`);
  }
  return { kind: "websocket", hostname: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** Whether only this machine can connect to an address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** An address as it is written on the command line. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === "stdio") return "stdio";
  if (address.kind === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  return `ws://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
