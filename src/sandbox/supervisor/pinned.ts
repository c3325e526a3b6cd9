import { addressOf } from "../../os/address.ts";
import type { ByteString } from "./byte_strings.ts";
import { CallError, Errno } from "./call_error.ts";

/** Memory at a fixed address, for what another thread hands to the kernel. */
export class Pinned {
  readonly address: bigint;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  /** @param size how much it holds, in bytes */
  constructor(size: number) {
    this.#bytes = new Uint8Array(new ArrayBuffer(size));
    this.address = addressOf(this.#bytes);
  }

  /** Puts a text there, with a NUL at its end. Returns its address. @throws {CallError} ENAMETOOLONG */
  text(text: ByteString): bigint {
    if (text.length >= this.#bytes.length) throw new CallError(Errno.ENAMETOOLONG);
    for (let index = 0; index < text.length; index++) this.#bytes[index] = text.charCodeAt(index);
    this.#bytes[text.length] = 0;
    return this.address;
  }

  /** Puts bytes there. Returns their address. @throws {CallError} E2BIG */
  bytes(bytes: Uint8Array): bigint {
    if (bytes.length > this.#bytes.length) throw new CallError(Errno.E2BIG);
    this.#bytes.set(bytes);
    return this.address;
  }
}
