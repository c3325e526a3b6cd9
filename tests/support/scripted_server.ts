/** A request as it came. */
export interface SeenRequest {
  /** The request line and the headers, as they stood. */
  readonly head: readonly string[];
  readonly body: string;
}

/** What a script may do with a connection once its request has been read. */
export interface Turn {
  readonly request: SeenRequest;
  /** The request's path without its slash. */
  readonly path: string;
  /** Sends bytes, or text of one byte a character. */
  send(data: string | Uint8Array): Promise<void>;
  /** Settles when the client has ended the connection. */
  readonly clientGone: Promise<void>;
}

/**
 * A server that sends whatever its script sends, and then ends the connection. Disposing of it ends
 * every connection.
 */
export class ScriptedServer implements Disposable {
  readonly seen: SeenRequest[] = [];
  readonly #listener: AsyncIterable<Deno.Conn> & { close(): void };
  readonly #connections = new Set<Deno.Conn>();
  readonly #scheme: string;
  readonly #port: number;

  constructor(script: (turn: Turn) => Promise<void>, tls?: Deno.TlsCertifiedKeyPem) {
    const address = { hostname: "127.0.0.1", port: 0 };
    const listener = tls === undefined
      ? Deno.listen(address)
      : Deno.listenTls({ ...address, ...tls });
    this.#port = listener.addr.port;
    this.#scheme = tls === undefined ? "http" : "https";
    this.#listener = listener;
    void this.#serve(script);
  }

  /** An address of this server. */
  url(path = "", host = "127.0.0.1"): string {
    return `${this.#scheme}://${host}:${this.#port}/${path}`;
  }

  /** Host and port. */
  get authority(): string {
    return `127.0.0.1:${this.#port}`;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
  }

  async #serve(script: (turn: Turn) => Promise<void>): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        this.#connections.add(connection);
        // A client that gives up is no failure of the server's.
        this.#converse(connection, script).catch(() => {}).finally(() => close(connection));
      }
    } catch {
      // The listener has been closed.
    }
  }

  async #converse(connection: Deno.Conn, script: (turn: Turn) => Promise<void>): Promise<void> {
    const request = await readRequest(connection);
    if (request === undefined) return;
    this.seen.push(request);
    const target = request.head[0]?.split(" ")[1] ?? "";
    const gone = Promise.withResolvers<void>();
    void drain(connection).finally(() => gone.resolve());
    await script({
      request,
      path: target.slice(1),
      clientGone: gone.promise,
      send: async (data) => {
        let rest = typeof data === "string"
          ? Uint8Array.from(data, (character) => character.charCodeAt(0))
          : data;
        while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
      },
    });
  }
}

async function readRequest(connection: Deno.Conn): Promise<SeenRequest | undefined> {
  let text = "";
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const head = text.slice(0, end).split("\r\n");
      const length = head.map((line) => /^content-length: *(\d+)/i.exec(line)?.[1]).find(Boolean);
      const body = text.slice(end + 4);
      const chunked = head.some((line) => /^transfer-encoding: *chunked/i.test(line));
      if (chunked ? body.endsWith("0\r\n\r\n") : body.length >= Number(length ?? 0)) {
        return { head, body };
      }
    }
    const count = await connection.read(buffer);
    if (count === null) return undefined;
    for (const byte of buffer.subarray(0, count)) text += String.fromCharCode(byte);
  }
}

async function drain(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    while (await connection.read(buffer) !== null);
  } catch {
    // Closed.
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
