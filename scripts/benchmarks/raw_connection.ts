import { encodeFrame } from "../../src/transport/client_frames.ts";
import { writeAll } from "../../src/net/connection.ts";
import { upgrade } from "../../src/transport/client_connect.ts";

/** Enough to tell an answer's beginning. */
const HEAD_BYTES = 256;
const READ_BYTES = 1024 * 1024;

/** The beginning of an answer, and how long it was. */
export interface AnswerHead {
  readonly text: string;
  readonly bytes: number;
}

/**
 * A connection that counts the bytes of long answers instead of decoding them, so that what is
 * measured is the server. It makes one request after the other.
 */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects and opens a session. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port, host } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    await upgrade(connection, { host, target: "/", token: undefined });
    const raw = new RawConnection(connection);
    await raw.request(RawConnection.encode("initialize", { clientName: "bench" }));
    await writeAll(connection, frame({ method: "initialized" }));
    return raw;
  }

  /** A request, ready to be sent any number of times. */
  static encode(method: string, params: unknown): Uint8Array {
    return frame({ id: 1, method, params });
  }

  /** Sends a request and waits for the last byte of its answer. */
  async request(encoded: Uint8Array): Promise<AnswerHead> {
    await writeAll(this.#connection, encoded);
    const head = new Uint8Array(HEAD_BYTES);
    let count = 0;
    let expected = Infinity;
    while (count < expected) {
      const read = await this.#connection.read(this.#buffer);
      if (read === null) throw new Error("the server closed the connection");
      if (count < HEAD_BYTES) {
        head.set(this.#buffer.subarray(0, Math.min(read, HEAD_BYTES - count)), count);
      }
      count += read;
      expected = frameBytes(head.subarray(0, Math.min(count, HEAD_BYTES)));
    }
    return { text: new TextDecoder().decode(head.subarray(0, count)), bytes: count };
  }

  /** Sends a request and takes in messages, unread, until the end of one that has these words. */
  async drain(encoded: Uint8Array, words: string): Promise<void> {
    await writeAll(this.#connection, encoded);
    const decoder = new TextDecoder();
    let end = "";
    while (!end.includes(words)) {
      const read = await this.#connection.read(this.#buffer);
      if (read === null) throw new Error("the server closed the connection");
      // The last message is short; it may have come in two parts.
      const tail = this.#buffer.subarray(Math.max(0, read - HEAD_BYTES), read);
      end = end.slice(-HEAD_BYTES) + decoder.decode(tail);
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

function frame(message: unknown): Uint8Array {
  return encodeFrame("text", new TextEncoder().encode(JSON.stringify(message)));
}

/** The length of the frame that begins with these bytes; Infinity while they do not tell. */
function frameBytes(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const short = head[1] ?? 0;
  if (head.length < 10) return short < 126 && head.length >= 2 + short ? 2 + short : Infinity;
  if (short === 126) return 4 + view.getUint16(2);
  return short === 127 ? 10 + Number(view.getBigUint64(2)) : 2 + short;
}
