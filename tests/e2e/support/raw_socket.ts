import { settled } from "../../support/patience.ts";

/** What a frame is (RFC 6455, section 5.2). */
export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

/** A frame as the executor sent it. */
export interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** What an ordinary WebSocket client would never do in a frame. */
export interface FrameOptions {
  /** Whether it ends its message. @default true */
  readonly final?: boolean;
  /** @default true, as it must be for a client */
  readonly masked?: boolean;
}

/** An answer to an HTTP request. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The head of a request that asks for a WebSocket. */
export const UPGRADE: Readonly<Record<string, string>> = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** A TCP connection to a WebSocket server, for what ordinary clients do not do. */
export class RawSocket implements Disposable {
  readonly #connection: Deno.TcpConn;
  #received = new Uint8Array();

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects, and upgrades to a WebSocket. */
  static async open(url: string): Promise<RawSocket> {
    const socket = await RawSocket.connect(url);
    const { status } = await socket.http("GET", "/", UPGRADE);
    if (status !== 101) throw new Error(`the upgrade was answered ${status}`);
    return socket;
  }

  static async connect(url: string): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    return new RawSocket(connection);
  }

  /** Sends a request and reads its answer. */
  async http(
    method: string,
    target: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    const lines = Object.entries({ host: "localhost", ...headers }).map(([name, value]) =>
      `${name}: ${value}\r\n`
    );
    await this.write(
      new TextEncoder().encode(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`),
    );
    let head = await this.#take(1);
    while (!endsWithBlankLine(head)) head = joined(head, await this.#take(1));
    const [status = "", ...fields] = new TextDecoder().decode(head).trimEnd().split("\r\n");
    const answered = new Map(fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }));
    const length = method === "HEAD" ? 0 : Number(answered.get("content-length") ?? 0);
    const body = new TextDecoder().decode(await this.#take(length));
    return { status: Number(status.split(" ")[1]), headers: answered, body };
  }

  /** Sends a frame, masked with zeros so that its payload stays as it is. */
  async send(
    opcode: number,
    payload: string | Uint8Array,
    options: FrameOptions = {},
  ): Promise<void> {
    const { final = true, masked = true } = options;
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    const head = new DataView(new ArrayBuffer(14));
    head.setUint8(0, (final ? 0x80 : 0) | opcode);
    const mark = masked ? 0x80 : 0;
    let length = 2;
    if (bytes.length < 126) {
      head.setUint8(1, mark | bytes.length);
    } else if (bytes.length < 0x10000) {
      head.setUint8(1, mark | 126);
      head.setUint16(2, bytes.length);
      length += 2;
    } else {
      head.setUint8(1, mark | 127);
      head.setBigUint64(2, BigInt(bytes.length));
      length += 8;
    }
    if (masked) length += 4;
    await this.write(joined(new Uint8Array(head.buffer, 0, length), bytes));
  }

  /**
   * The next frame, or undefined when the connection has ended.
   *
   * @param patienceMs how long it may be silent. @default as long as anything may take
   */
  async next(patienceMs?: number): Promise<Frame | undefined> {
    try {
      const [first = 0, second = 0] = await this.#take(2, patienceMs);
      const extended = second === 126 ? 2 : second === 127 ? 8 : 0;
      let length = second;
      if (extended > 0) {
        length = (await this.#take(extended)).reduce((sum, byte) => sum * 256 + byte, 0);
      }
      return { opcode: first & 0x0f, payload: await this.#take(length) };
    } catch (error) {
      if (error instanceof ConnectionOver) return undefined;
      throw error;
    }
  }

  /** The payload of the next message, as text. Pings on the way are answered. */
  async nextText(): Promise<string> {
    const frame = await this.next();
    if (frame?.opcode === Opcode.Ping) {
      await this.send(Opcode.Pong, frame.payload);
      return await this.nextText();
    }
    if (frame === undefined) throw new ConnectionOver();
    return new TextDecoder().decode(frame.payload);
  }

  /** Writes bytes as they are, unless the executor has ended the connection, which reading tells. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let offset = 0; offset < bytes.length;) {
        offset += await this.#connection.write(bytes.subarray(offset));
      }
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return;
      if (error instanceof Deno.errors.ConnectionReset) return;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #take(length: number, patienceMs?: number): Promise<Uint8Array> {
    while (this.#received.length < length) {
      const buffer = new Uint8Array(65536);
      const read = await settled(
        this.#connection.read(buffer).catch((error) => {
          if (error instanceof Deno.errors.ConnectionReset) return null;
          throw error;
        }),
        "bytes on a socket",
        patienceMs,
      );
      if (read === null) throw new ConnectionOver();
      this.#received = joined(this.#received, buffer.subarray(0, read));
    }
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }
}

class ConnectionOver extends Error {
  override readonly name = "ConnectionOver";
}

function endsWithBlankLine(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(-4)) === "\r\n\r\n";
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
