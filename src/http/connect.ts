import { connectTcp } from "../net/connect_tcp.ts";
import { closeAtAbort, closeQuietly, encrypt, writeAll } from "../net/connection.ts";
import { ConnectionReader } from "./connection_reader.ts";
import { HttpFailure } from "./request.ts";
import type { Proxy, Variables } from "./proxy.ts";
import { readResponseHead } from "./response_head.ts";
import { hostOf, portOf } from "./url.ts";

/**
 * Connects to the server of a URL, through a proxy if one is given, encrypted for https. The
 * certificates in the file that SSL_CERT_FILE names are trusted besides the usual ones.
 *
 * @param signal closes the connection when it aborts
 * @throws {Error} when there is no connection, or the certificate is not trusted
 */
export async function connect(
  url: URL,
  proxy: Proxy | undefined,
  env: Variables,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  const [hostname, port] = proxy === undefined
    ? [hostOf(url), portOf(url)]
    : [proxy.host, proxy.port];
  const connection = await connectTcp({ hostname, port }, signal);
  try {
    closeAtAbort(connection, signal);
    connection.setNoDelay();
    if (url.protocol !== "https:") return connection;
    if (proxy !== undefined) await openTunnel(connection, url, proxy);
    const options = { hostname: hostOf(url), caCerts: await trustedCertificates(env) };
    const secured = await encrypt(connection, options, signal);
    closeAtAbort(secured, signal);
    return secured;
  } catch (error) {
    closeQuietly(connection);
    throw error;
  }
}

/** Asks a proxy for a tunnel to the server of a URL (RFC 9110, section 9.3.6). */
async function openTunnel(connection: Deno.Conn, url: URL, proxy: Proxy): Promise<void> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (proxy.authorization !== undefined) lines.push(`Proxy-Authorization: ${proxy.authorization}`);
  await writeAll(connection, new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  // The server sends nothing before the handshake, so nothing is read beyond the head.
  const { status } = await readResponseHead(new ConnectionReader(connection));
  if (status < 200 || status >= 300) throw new HttpFailure(`the proxy answered ${status}`);
}

async function trustedCertificates(env: Variables): Promise<string[]> {
  const file = env.SSL_CERT_FILE;
  return file === undefined || file === "" ? [] : [await Deno.readTextFile(file)];
}
