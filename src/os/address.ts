/**
 * Where a buffer is in memory. It stays there as long as something refers to it, if it was made with
 * an ArrayBuffer of its own: small arrays made otherwise can be moved by the garbage collector.
 */
export function addressOf(buffer: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
}
