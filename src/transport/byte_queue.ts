/** Memory that is kept for what comes next, in bytes. */
const KEPT_BYTES = 1024 * 1024;

/**
 * Bytes that have arrived and are not used yet, one after the other. Their memory is used again: new
 * memory for each message takes longer than copying it.
 */
export class ByteQueue {
  #memory = new Uint8Array();
  #start = 0;
  #end = 0;

  /** How many there are. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** All of them, until more are pushed. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(this.#start, this.#end);
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#memory.length) this.#makeRoom(bytes.length);
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Takes the first bytes away, which stay readable until more are pushed. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#memory.length > KEPT_BYTES) this.#memory = new Uint8Array();
  }

  #makeRoom(count: number): void {
    const { bytes } = this;
    const needed = bytes.length + count;
    if (needed <= this.#memory.length) {
      this.#memory.copyWithin(0, this.#start, this.#end);
    } else {
      this.#memory = new Uint8Array(Math.max(needed, 2 * bytes.length));
      this.#memory.set(bytes);
    }
    this.#start = 0;
    this.#end = bytes.length;
  }
}
