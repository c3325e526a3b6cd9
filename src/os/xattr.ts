import { cString } from "./os_string.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  listxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  getxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
});

/** File capabilities: the kernel takes them from a file that is written to. */
const NOT_KEPT = "security.capability";

/**
 * Gives a file the extended attributes of another, among them its access control list, and no
 * others. A file system that knows no attributes has none.
 *
 * @throws {Error} if an attribute cannot be read or set
 */
export function copyExtendedAttributes(from: string, to: string): void {
  const [source, target] = [cString(from), cString(to)];
  const wanted = attributesOf(source);
  const present = attributesOf(target);
  for (const name of present.keys()) {
    if (!wanted.has(name)) succeed(libc().removexattr(target, cString(name)), name);
  }
  for (const [name, value] of wanted) {
    if (name === NOT_KEPT || equal(present.get(name), value)) continue;
    const size = BigInt(value.length);
    succeed(libc().setxattr(target, cString(name), value, size, 0), name);
  }
}

/** Whether a file has an extended attribute, as far as can be told. */
export function hasAttribute(path: string, name: string): boolean {
  return libc().getxattr(cString(path), cString(name), null, 0n) >= 0n;
}

function attributesOf(path: Uint8Array<ArrayBuffer>): Map<string, Uint8Array<ArrayBuffer>> {
  const list = filled((buffer, size) => libc().listxattr(path, buffer, size));
  // Not so much as a list of none: the file system has no such thing.
  if (list === undefined) return new Map();
  const names = new TextDecoder().decode(list).split("\0").filter((name) => name !== "");
  return new Map(names.map((name) => [name, valueOf(path, name)]));
}

function valueOf(path: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const value = filled((buffer, size) => libc().getxattr(path, cString(name), buffer, size));
  if (value === undefined) throw new Error(`cannot read the attribute ${name}`);
  return value;
}

/** What a function puts into a buffer whose size it tells when it is given none. */
function filled(
  call: (buffer: Uint8Array<ArrayBuffer> | null, size: bigint) => bigint,
): Uint8Array<ArrayBuffer> | undefined {
  const size = call(null, 0n);
  if (size < 0n) return undefined;
  const buffer = new Uint8Array(Number(size));
  const length = call(buffer, size);
  return length < 0n ? undefined : buffer.subarray(0, Number(length));
}

function succeed(result: number, name: string): void {
  if (result !== 0) throw new Error(`cannot set the attribute ${name}`);
}

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, index) => byte === b[index]);
}
