import { type Descriptor } from "./descriptors.ts";
import { libc } from "./libc.ts";

/** What a descriptor is ready for (epoll_ctl(2)). */
export const Ready = { Input: 0x001, Output: 0x004, Error: 0x008, HangUp: 0x010 } as const;

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const BATCH = 64;
/** struct epoll_event is packed on x86-64 alone. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_OFFSET = EVENT_BYTES - 8;
/** Batches taken without giving the rest of the program a turn. */
const BATCHES_A_TURN = 4;

/**
 * Waits for many descriptors with one thread.
 *
 * Deno reads pipes of other makers on a thread each; a thousand commands would need thousands. Here
 * one call waits for all of them (epoll(7)) and the reading happens in the callbacks. The waiting
 * runs only while something is watched, so that it never keeps the program alive for nothing.
 */
export class Poller {
  readonly #epoll = libc().epoll_create1(EPOLL_CLOEXEC);
  readonly #watched = new Map<Descriptor, (ready: number) => void>();
  readonly #events = new Uint8Array(EVENT_BYTES * BATCH);
  readonly #view = new DataView(this.#events.buffer);
  readonly #wakeUp = libc().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  #running = false;

  constructor() {
    this.#add(this.#wakeUp, Ready.Input);
  }

  /**
   * Calls back whenever the descriptor is ready for what `interest` asks, and on errors and
   * hang-up in any case, until {@linkcode unwatch}.
   */
  watch(descriptor: Descriptor, interest: number, callback: (ready: number) => void): void {
    this.#add(descriptor, interest);
    this.#watched.set(descriptor, callback);
    if (!this.#running) this.#run();
  }

  /** Stops watching. To be called before the descriptor is closed. */
  unwatch(descriptor: Descriptor): void {
    if (!this.#watched.delete(descriptor)) return;
    libc().epoll_ctl(this.#epoll, EPOLL_CTL_DEL, descriptor, null);
    if (this.#watched.size === 0) libc().eventfd_write(this.#wakeUp, 1n);
  }

  #add(descriptor: Descriptor, interest: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, interest, true);
    event.setInt32(DATA_OFFSET, descriptor, true);
    libc().epoll_ctl(this.#epoll, EPOLL_CTL_ADD, descriptor, new Uint8Array(event.buffer));
  }

  async #run(): Promise<void> {
    this.#running = true;
    let batches = 0;
    while (this.#watched.size > 0) {
      let count = batches++ % BATCHES_A_TURN === 0 ? 0 : this.#wait(0);
      if (count === 0) count = await this.#waitBlocking();
      for (let index = 0; index < count; index++) this.#dispatch(index * EVENT_BYTES);
    }
    this.#rest();
    this.#running = false;
  }

  /** Empties the counter that ends a wait for nothing, so that it does not end the next one too. */
  #rest(): void {
    libc().eventfd_read(this.#wakeUp, new Uint8Array(8));
  }

  /** A descriptor may be unwatched by a callback earlier in the same batch. */
  #dispatch(offset: number): void {
    const ready = this.#view.getUint32(offset, true);
    const descriptor = this.#view.getInt32(offset + DATA_OFFSET, true);
    this.#watched.get(descriptor)?.(ready);
  }

  #wait(milliseconds: number): number {
    return Math.max(0, libc().epoll_wait(this.#epoll, this.#events, BATCH, milliseconds));
  }

  /** Waits on another thread, without a limit; an interrupted wait counts as one without events. */
  async #waitBlocking(): Promise<number> {
    return Math.max(0, await libc().epoll_wait_blocking(this.#epoll, this.#events, BATCH, -1));
  }
}
