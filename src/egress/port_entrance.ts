import { createHash, timingSafeEqual } from "node:crypto";
import { toBase64 } from "../protocol/base64.ts";
import type { Connector } from "./dial.ts";
import type { ByteStream } from "./stream.ts";

/** Connections that a command may have at once: each takes a descriptor, which other commands need too. */
const MAX_CONNECTIONS = 1024;
const USER = "remex";
const PASSWORD_BYTES = 24;

/** What whoever comes by a port that others can reach has to say. */
export class ProxyPassword {
  readonly user = USER;
  readonly text: string = crypto.getRandomValues(new Uint8Array(PASSWORD_BYTES)).toHex();

  /** Whether a name and a password are right. */
  is(user: string, password: string): boolean {
    return isSame(`${user}:${password}`, `${this.user}:${this.text}`);
  }

  /** Whether a value of Proxy-Authorization is right (RFC 7617). */
  isAuthorization(value: string): boolean {
    const login = new TextEncoder().encode(`${this.user}:${this.text}`);
    return isSame(value, `Basic ${toBase64(login)}`);
  }
}

/** Takes as long wherever the two differ. */
function isSame(given: string, right: string): boolean {
  const [one, other] = [given, right].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

/**
 * A port of this machine's loopback by which a command comes to its proxy, where its sandbox has no
 * loopback of its own. Others of the machine can connect to it, too, but do not know its password.
 */
export class PortEntrance implements Disposable {
  readonly password = new ProxyPassword();
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #open = 0;
  #closed = false;

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Has each connection served, until this is disposed of. */
  async serve(take: (stream: ByteStream) => Promise<void>): Promise<void> {
    for await (const connection of this.#listener) {
      if (this.#open >= MAX_CONNECTIONS) connection.close();
      else void this.#serve(connection, take);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
  }

  async #serve(
    connection: Deno.TcpConn,
    take: (stream: ByteStream) => Promise<void>,
  ): Promise<void> {
    this.#open++;
    try {
      await take(new RuntimeStream(connection));
    } finally {
      this.#open--;
    }
  }
}

/** Connects by the runtime, where the system's sockets are not to be had. */
export const connectByRuntime: Connector = async (address, port, signal) =>
  new RuntimeStream(await Deno.connect({ hostname: address.toString(), port, signal }));

/** A connection of the runtime's, which minds being closed twice. */
class RuntimeStream implements ByteStream {
  readonly #connection: Deno.TcpConn;
  #closed = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return this.#connection.read(buffer);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#connection.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    if (!this.#closed) this.#connection.close();
    this.#closed = true;
  }
}
