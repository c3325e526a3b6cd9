/** What carries bytes both ways: a connection of the runtime's, or something like it. */
export type ByteStream = Pick<Deno.Conn, "read" | "write" | "close">;

/** The server of an encrypted connection, and whom to trust about it. */
export interface TlsOptions {
  /** The name that the certificate must be for, without brackets. */
  readonly hostname: string;
  /** Certificates to be trusted besides the usual ones, in PEM format. @default none */
  readonly caCerts?: readonly string[] | undefined;
}

/**
 * Encrypts a connection (TLS), over which HTTP/1.1 is spoken. The connection is closed if that fails
 * or the signal aborts meanwhile.
 *
 * @throws {Deno.errors.InvalidData} when the server does not encrypt or its certificate is refused
 * @throws {Error} when the connection breaks
 */
export async function encrypt(
  connection: Deno.TcpConn,
  { hostname, caCerts = [] }: TlsOptions,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  const alpnProtocols = ["http/1.1"];
  const secured = await Deno.startTls(connection, {
    hostname,
    alpnProtocols,
    caCerts: [...caCerts],
  });
  using _closing = closeAtAbort(secured, signal);
  try {
    await secured.handshake();
    return secured;
  } catch (error) {
    closeQuietly(secured);
    throw error;
  }
}

/** Closes a connection when a signal aborts, or has aborted, until the result is disposed of. */
export function closeAtAbort(connection: Deno.Conn, signal: AbortSignal): Disposable {
  const close = () => closeQuietly(connection);
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}

/** Closes a connection, which may be closed already. */
export function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed, or has become an encrypted one that is closed on its own.
  }
}

/** Writes all of the bytes; one write of Deno's may take only a part of them. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(await connection.write(rest));
  }
}
