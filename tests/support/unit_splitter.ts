/**
 * Cuts one direction of a WebSocket connection into what travels as a whole: first the head of the
 * handshake, then frames. The bytes stay as they are.
 */
export class UnitSplitter {
  #buffered = new Uint8Array();
  #handshakeOver = false;

  /** Takes in bytes and gives the units that they complete. */
  push(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
    const all = new Uint8Array(this.#buffered.length + bytes.length);
    all.set(this.#buffered);
    all.set(bytes, this.#buffered.length);
    const units: Uint8Array<ArrayBuffer>[] = [];
    let start = 0;
    for (let length = this.#unitLength(all); length > 0; length = this.#unitLength(all, start)) {
      units.push(all.slice(start, start + length));
      start += length;
      this.#handshakeOver = true;
    }
    this.#buffered = all.slice(start);
    return units;
  }

  /** The length of the unit at an offset, 0 while it is not complete. */
  #unitLength(bytes: Uint8Array, offset = 0): number {
    const rest = bytes.subarray(offset);
    const length = this.#handshakeOver ? frameLength(rest) : headLength(rest);
    return length <= rest.length ? length : 0;
  }
}

/** Up to and with the empty line that ends a head (RFC 9112, section 2.1). */
function headLength(bytes: Uint8Array): number {
  const end = new TextDecoder("latin1").decode(bytes).indexOf("\r\n\r\n");
  return end < 0 ? Infinity : end + 4;
}

/** RFC 6455, section 5.2. */
function frameLength(bytes: Uint8Array): number {
  const [, second] = bytes;
  if (second === undefined) return Infinity;
  const short = second & 0x7f;
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  if (bytes.length < 2 + lengthBytes) return Infinity;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const payload = short < 126
    ? short
    : short === 126
    ? view.getUint16(2)
    : Number(view.getBigUint64(2));
  return 2 + lengthBytes + ((second & 0x80) === 0 ? 0 : 4) + payload;
}
