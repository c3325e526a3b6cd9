/**
 * Reads protocol buffers (https://protobuf.dev/programming-guides/encoding/) into what OTLP calls
 * the same in JSON. A field that a schema does not name makes it fail.
 */
export type Schema = { readonly [number: number]: Field };

interface Field {
  readonly name: string;
  readonly type: "text" | "hex" | "number" | "fixed64" | "double" | Schema;
  /** @default false */
  readonly repeated?: boolean;
}

export function decode(schema: Schema, bytes: Uint8Array): Record<string, unknown> {
  const reader = new Reader(bytes);
  const message: Record<string, unknown> = {};
  while (!reader.done) {
    const key = reader.varint();
    const field = schema[Number(key >> 3n)];
    if (field === undefined) throw new Error(`unknown field ${key >> 3n}`);
    const values = valuesOf(field, Number(key & 7n), reader);
    if (!field.repeated) {
      message[field.name] = values[0];
      continue;
    }
    const earlier = message[field.name];
    message[field.name] = [...Array.isArray(earlier) ? earlier : [], ...values];
  }
  return message;
}

/** Numbers of a repeated field come packed. */
function valuesOf({ type }: Field, wireType: number, reader: Reader): unknown[] {
  switch (wireType) {
    case 0:
      return [Number(reader.varint())];
    case 1:
      return [reader.eight(type === "double")];
    case 5:
      return [reader.four()];
    case 2: {
      const bytes = reader.bytes();
      if (type === "text") return [new TextDecoder("utf-8", { fatal: true }).decode(bytes)];
      if (type === "hex") return [bytes.toHex()];
      if (typeof type === "object") return [decode(type, bytes)];
      const packed = new Reader(bytes);
      const values = [];
      while (!packed.done) values.push(packed.eight(type === "double"));
      return values;
    }
    default:
      throw new Error(`unknown wire type ${wireType}`);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#position >= this.#bytes.length;
  }

  varint(): bigint {
    for (let value = 0n, shift = 0n;; shift += 7n) {
      const byte = this.#view.getUint8(this.#position++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  eight(double: boolean): number {
    const position = this.#position;
    this.#position += 8;
    return double
      ? this.#view.getFloat64(position, true)
      : Number(this.#view.getBigInt64(position, true));
  }

  four(): number {
    const position = this.#position;
    this.#position += 4;
    return this.#view.getUint32(position, true);
  }

  bytes(): Uint8Array {
    const length = Number(this.varint());
    const start = this.#position;
    this.#position += length;
    if (this.#position > this.#bytes.length) throw new Error("cut short");
    return this.#bytes.subarray(start, this.#position);
  }
}
