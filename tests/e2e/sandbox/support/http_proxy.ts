/** A server of this test, on a port of 127.0.0.1 for as long as it is in scope. */
export interface LoopbackServer extends AsyncDisposable {
  readonly port: number;
  /** What has been asked of it. */
  readonly requests: string[];
}

/** A port of 127.0.0.1 that nobody listens on. */
export function unusedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Serves TCP connections with a function that ends when it is done with one. */
export function serveLoopback(
  serve: (connection: Deno.TcpConn, requests: string[]) => Promise<void>,
): LoopbackServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: string[] = [];
  const open = new Set<Deno.TcpConn>();
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for (;;) {
      const connection = await nextConnection(listener);
      if (connection === undefined) return;
      open.add(connection);
      serving.push(
        serve(connection, requests).catch(() => {}).finally(() => {
          open.delete(connection);
          closeQuietly(connection);
        }),
      );
    }
  })();
  return {
    port: listener.addr.port,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      open.forEach(closeQuietly);
      await Promise.all(serving);
    },
  };
}

/** Undefined when the listener has been closed. */
async function nextConnection(listener: Deno.TcpListener): Promise<Deno.TcpConn | undefined> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      // It broke before it was accepted.
      if (!(error instanceof Deno.errors.NotConnected)) return undefined;
    }
  }
}

/** An HTTP proxy: requests in absolute form (RFC 9112, 3.2.2) and tunnels (RFC 9110, 9.3.6). */
export function startProxy(): LoopbackServer {
  return serveLoopback(async (client, requests) => {
    const { head, rest } = await readHead(client);
    const [line = "", ...headers] = head.split("\r\n");
    requests.push(line);
    const [method = "", target = "", version] = line.split(" ");
    const url = new URL(method === "CONNECT" ? `http://${target}` : target);
    using origin = await Deno.connect({ hostname: url.hostname, port: Number(url.port || 80) });
    if (method === "CONNECT") {
      await writeAll(client, "HTTP/1.1 200 Connection established\r\n\r\n");
    } else {
      const kept = headers.filter((header) => !/^(proxy-)?connection:/i.test(header));
      const path = `${url.pathname}${url.search}`;
      const first = `${method} ${path} ${version}\r\nConnection: close\r\n`;
      await writeAll(origin, `${first}${kept.join("\r\n")}\r\n\r\n`);
    }
    await origin.write(rest);
    await Promise.all([pass(client, origin), pass(origin, client)]);
  });
}

async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  for await (const chunk of received(from)) await writeAll(to, chunk);
  await to.closeWrite().catch(() => {});
}

async function readHead(connection: Deno.TcpConn) {
  let bytes = new Uint8Array();
  const buffer = new Uint8Array(16 * 1024);
  for (;;) {
    const text = new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return { head: text.slice(0, end), rest: bytes.slice(end + 4) };
    const count = await connection.read(buffer);
    if (count === null) throw new Error("the request ended early");
    bytes = new Uint8Array([...bytes, ...buffer.subarray(0, count)]);
  }
}

/** What arrives until the other side ends its half; the connection stays open. */
export async function* received(connection: Deno.TcpConn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    yield buffer.slice(0, count);
  }
}

/** Writes all of it. */
export async function writeAll(to: Deno.TcpConn, data: Uint8Array | string): Promise<void> {
  let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
  while (rest.length > 0) rest = rest.subarray(await to.write(rest));
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It has been closed already.
  }
}
