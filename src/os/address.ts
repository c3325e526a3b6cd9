/**
 * Where the bytes of a view are in memory. They stay there as long as something refers to the view.
 * Asking for the buffer of a small one is what keeps the garbage collector from moving it.
 */
export function addressOf({ buffer, byteOffset }: Uint8Array<ArrayBuffer>): bigint {
  const view = new Uint8Array(buffer, byteOffset);
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(view)));
}
