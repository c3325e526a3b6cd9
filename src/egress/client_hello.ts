/** The type of a TLS record that holds a part of the handshake (RFC 8446, section 5.1). */
const HANDSHAKE = 22;
/** The types of all records, from change_cipher_spec to heartbeat (RFC 6520). */
const RECORD_TYPES = { first: 20, last: 24 };
/** The major version that every record has. */
const MAJOR_VERSION = 3;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** What a record may hold (RFC 8446, section 5.2). */
const MAX_RECORD = 16 * 1024 + 256;
/** Far more than any client says first. */
const MAX_CLIENT_HELLO = 64 * 1024;

/** What the first bytes of a connection are. */
export type FirstBytes =
  /** It takes more bytes to tell. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "notTls" }
  /** It begins like TLS, and is not. */
  | { readonly kind: "malformed" }
  /** The start of TLS, with the name of the server that is asked for, if one is. */
  | { readonly kind: "clientHello"; readonly serverName: string | undefined };

/** Looks for the server's name in the first message of TLS (RFC 6066, section 3). */
export function readClientHello(bytes: Uint8Array): FirstBytes {
  if (bytes.length === 0) return { kind: "incomplete" };
  if (bytes[0] !== HANDSHAKE) return withoutHandshake(bytes);
  const message = handshakeMessage(bytes);
  if (!(message instanceof Uint8Array)) return message;
  const serverName = serverNameIn(new Cursor(message));
  return serverName === MALFORMED ? { kind: "malformed" } : { kind: "clientHello", serverName };
}

/** Some servers pass over what comes before the handshake, an alert for example. */
function withoutHandshake([type = 0, version]: Uint8Array): FirstBytes {
  if (type < RECORD_TYPES.first || type > RECORD_TYPES.last) return { kind: "notTls" };
  if (version === undefined) return { kind: "incomplete" };
  return { kind: version === MAJOR_VERSION ? "malformed" : "notTls" };
}

const MALFORMED = Symbol("malformed");

/** Joins what the first records hold until the message is complete. */
function handshakeMessage(bytes: Uint8Array): Uint8Array | FirstBytes {
  const parts: number[] = [];
  for (let offset = 0;;) {
    const header = bytes.subarray(offset, offset + RECORD_HEADER);
    if (header.length > 0 && header[0] !== HANDSHAKE) return { kind: "malformed" };
    if (header.length > 1 && header[1] !== MAJOR_VERSION) return { kind: "malformed" };
    if (header.length < RECORD_HEADER) return { kind: "incomplete" };
    const length = (header[3] ?? 0) << 8 | (header[4] ?? 0);
    if (length === 0 || length > MAX_RECORD) return { kind: "malformed" };
    const part = bytes.subarray(offset + RECORD_HEADER, offset + RECORD_HEADER + length);
    parts.push(...part);
    if (parts.length > 0 && parts[0] !== CLIENT_HELLO) return { kind: "malformed" };
    if (parts.length >= MESSAGE_HEADER) {
      const wanted = (parts[1] ?? 0) << 16 | (parts[2] ?? 0) << 8 | (parts[3] ?? 0);
      if (wanted > MAX_CLIENT_HELLO) return { kind: "malformed" };
      if (parts.length >= MESSAGE_HEADER + wanted) {
        return Uint8Array.from(parts.slice(MESSAGE_HEADER, MESSAGE_HEADER + wanted));
      }
    }
    if (part.length < length) return { kind: "incomplete" };
    offset += RECORD_HEADER + length;
  }
}

function serverNameIn(message: Cursor): string | undefined | typeof MALFORMED {
  message.skip(2 + 32);
  message.skip(message.number(1));
  message.skip(message.number(2));
  message.skip(message.number(1));
  if (message.failed) return MALFORMED;
  // Extensions may be missing altogether (TLS 1.2).
  if (message.left === 0) return undefined;
  const extensions = message.part(message.number(2));
  let found: string | undefined;
  while (!extensions.failed && extensions.left > 0) {
    const type = extensions.number(2);
    const extension = extensions.part(extensions.number(2));
    if (type !== SERVER_NAME || extension.failed) continue;
    const list = extension.part(extension.number(2));
    if (list.number(1) !== HOST_NAME) return MALFORMED;
    const name = list.text(list.number(2));
    // One list with one name: what else could be in it would be another name than the one compared.
    if (list.failed || list.left > 0 || extension.left > 0 || found !== undefined) return MALFORMED;
    found = name;
  }
  return message.failed || extensions.failed ? MALFORMED : found;
}

/** Reads numbers and parts one after another; past the end it has failed, and everything is 0. */
class Cursor {
  readonly #bytes: Uint8Array;
  #offset = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  skip(count: number): void {
    this.part(count);
  }

  number(octets: number): number {
    return this.#taken(octets).reduce((value, byte) => value * 256 + byte, 0);
  }

  text(octets: number): string {
    return String.fromCharCode(...this.#taken(octets));
  }

  part(octets: number): Cursor {
    const part = new Cursor(this.#taken(octets));
    part.failed = this.failed;
    return part;
  }

  #taken(octets: number): Uint8Array {
    if (octets > this.left) this.failed = true;
    if (this.failed) return new Uint8Array(0);
    this.#offset += octets;
    return this.#bytes.subarray(this.#offset - octets, this.#offset);
  }
}
