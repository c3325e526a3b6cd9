/** What a command finds the proxy by. */
export interface ProxyAddress {
  /** A port of the command's own 127.0.0.1. */
  readonly port: number;
  /** Whether what listens on its loopback is the command's own, and is reached without a proxy. */
  readonly ownLoopback: boolean;
}

/**
 * The variables by which common tools find the proxy.
 *
 * ALL_PROXY names it as one of HTTP too, though it also speaks SOCKS5: libraries that have no SOCKS
 * (Python's httpx among them) fail at an address of that kind even where they would not use it.
 */
export function proxyEnvironment({ port, ownLoopback }: ProxyAddress): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  const none = ownLoopback ? "localhost,127.0.0.1,::1" : "";
  const both = (name: string, value: string) => [[name, value], [name.toLowerCase(), value]];
  return Object.fromEntries([
    ...both("HTTP_PROXY", proxy),
    ...both("HTTPS_PROXY", proxy),
    ...both("ALL_PROXY", proxy),
    ...both("WS_PROXY", proxy),
    ...both("WSS_PROXY", proxy),
    ...both("NO_PROXY", none),
    ["NODE_USE_ENV_PROXY", "1"],
    ["npm_config_proxy", proxy],
    ["npm_config_https_proxy", proxy],
    ["npm_config_noproxy", none],
    ["YARN_HTTP_PROXY", proxy],
    ["YARN_HTTPS_PROXY", proxy],
    ["PIP_PROXY", proxy],
    ["CARGO_HTTP_PROXY", proxy],
    ["BUNDLE_HTTP_PROXY", proxy],
    ["BUNDLE_HTTPS_PROXY", proxy],
    ["ELECTRON_GET_USE_PROXY", "true"],
  ]);
}
