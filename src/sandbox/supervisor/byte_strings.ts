/**
 * Paths as the kernel has them are bytes. Here they are texts in which each character stands for one
 * byte: they can be cut and joined, whatever encoding they are in.
 */
export type ByteString = string;

const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes up to the first NUL or the end. */
export function toByteString(bytes: Uint8Array, length = bytes.length): ByteString {
  const end = bytes.indexOf(0);
  const used = bytes.subarray(0, end === -1 ? length : Math.min(end, length));
  return String.fromCharCode(...used);
}

/** The bytes with a NUL at their end. */
export function fromByteString(text: ByteString): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(text.length + 1));
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** What the bytes say as UTF-8, with U+FFFD for what is none. */
export function decodeByteString(text: ByteString): string {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 0x80) {
      return lossy.decode(fromByteString(text).subarray(0, text.length));
    }
  }
  return text;
}
