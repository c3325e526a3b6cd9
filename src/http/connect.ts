import { connectTcp } from "../net/connect_tcp.ts";
import { ConnectionReader } from "./connection_reader.ts";
import { HttpFailure } from "./request.ts";
import type { Proxy, Variables } from "./proxy.ts";
import { readResponseHead } from "./response_head.ts";
import { hostOf, portOf } from "./url.ts";

/**
 * Connects to the server of an address, through a proxy if given, encrypted if it is https.
 *
 * The file that SSL_CERT_FILE names holds certificates to be trusted besides the usual ones.
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
    const secured = await Deno.startTls(connection, {
      hostname: hostOf(url),
      alpnProtocols: ["http/1.1"],
      caCerts: await trustedCertificates(env),
    });
    closeAtAbort(secured, signal);
    await secured.handshake();
    return secured;
  } catch (error) {
    close(connection);
    throw error;
  }
}

/** Ends whatever waits for a connection when a signal aborts. */
function closeAtAbort(connection: Deno.Conn, signal: AbortSignal): void {
  if (signal.aborted) close(connection);
  else signal.addEventListener("abort", () => close(connection), { once: true });
}

/** Closes a connection, which may be closed already. */
export function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed, or has become an encrypted one that is closed on its own.
  }
}

/** Writes all of it; one write may take a part only. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(await connection.write(rest));
  }
}

/** Has a proxy connect to the server of an address (RFC 9110, section 9.3.6). */
async function openTunnel(connection: Deno.Conn, url: URL, proxy: Proxy): Promise<void> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (proxy.authorization !== undefined) lines.push(`Proxy-Authorization: ${proxy.authorization}`);
  await writeAll(connection, new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  // The server says nothing before the handshake, so that nothing read with the head gets lost.
  const { status } = await readResponseHead(new ConnectionReader(connection));
  if (status < 200 || status >= 300) throw new HttpFailure(`the proxy answered ${status}`);
}

async function trustedCertificates(env: Variables): Promise<string[]> {
  const file = env.SSL_CERT_FILE;
  return file === undefined || file === "" ? [] : [await Deno.readTextFile(file)];
}
