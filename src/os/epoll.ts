import { setImmediate } from "node:timers";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import { O_CLOEXEC, O_NONBLOCK } from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  eventfd_read: { parameters: ["i32", "buffer"], result: "i32" },
  eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  epoll_wait_blocking: {
    name: "epoll_wait",
    parameters: ["i32", "buffer", "i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
});

/** What a descriptor is ready for (epoll_ctl(2)). */
export const Ready = { Input: 0x001, Output: 0x004, Error: 0x008, HangUp: 0x010 } as const;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const BATCH = 64;
/** struct epoll_event is packed on x86-64 alone. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_OFFSET = EVENT_BYTES - 8;
/** Batches taken without giving the rest of the program a turn. */
const BATCHES_A_TURN = 4;
/** Stands for the wake-up among the watches. */
const WAKE_UP = 0;

/**
 * Waits for many descriptors with one thread.
 *
 * Deno reads pipes of other makers on a thread each; a thousand commands would need thousands. Here
 * one call waits for all of them (epoll(7)) and the reading happens in the callbacks. The waiting
 * runs only while something is watched, so that it never keeps the program alive for nothing.
 */
export class Poller {
  readonly #epoll: Descriptor;
  readonly #wakeUp: Descriptor;
  /**
   * Each watch has a number of its own: what is told of a descriptor may be old news of one that
   * has been closed meanwhile and whose number has been given to another.
   */
  readonly #watches = new Map<Descriptor, number>();
  readonly #callbacks = new Map<number, (ready: number) => void>();
  readonly #events = new Uint8Array(EVENT_BYTES * BATCH);
  readonly #view = new DataView(this.#events.buffer);
  #lastWatch = WAKE_UP;
  #batchesLeft = 0;
  #newcomers = false;
  #running = false;

  /** @throws {Error} when the process has no descriptors left */
  constructor() {
    this.#epoll = opened(libc().epoll_create1(O_CLOEXEC));
    try {
      this.#wakeUp = opened(libc().eventfd(0, O_CLOEXEC | O_NONBLOCK));
    } catch (error) {
      closeDescriptor(this.#epoll);
      throw error;
    }
    this.#add(this.#wakeUp, Ready.Input, WAKE_UP);
  }

  /**
   * Calls back whenever the descriptor is ready for what `interest` asks, and on errors and
   * hang-up in any case, until {@linkcode unwatch}. The first time is in a later turn of the event
   * loop, when whoever awaits the caller has gone on.
   */
  watch(descriptor: Descriptor, interest: number, callback: (ready: number) => void): void {
    const watch = ++this.#lastWatch;
    this.#add(descriptor, interest, watch);
    this.#watches.set(descriptor, watch);
    this.#callbacks.set(watch, callback);
    this.#newcomers = true;
    if (!this.#running) this.#run();
  }

  /** Waits until the descriptor is ready for what `interest` asks, or has an error or hang-up. */
  once(descriptor: Descriptor, interest: number): Promise<void> {
    return new Promise((resolve) => {
      this.watch(descriptor, interest, () => {
        this.unwatch(descriptor);
        resolve();
      });
    });
  }

  /** Stops watching. To be called before the descriptor is closed. */
  unwatch(descriptor: Descriptor): void {
    const watch = this.#watches.get(descriptor);
    if (watch === undefined) return;
    this.#watches.delete(descriptor);
    this.#callbacks.delete(watch);
    libc().epoll_ctl(this.#epoll, EPOLL_CTL_DEL, descriptor, null);
    if (this.#watches.size === 0) libc().eventfd_write(this.#wakeUp, 1n);
  }

  /** Ends the wait for a moment: the runtime gives its thread to work that waits for one. */
  lendThread(): void {
    libc().eventfd_write(this.#wakeUp, 1n);
  }

  /** The kernel hands back the eight bytes of data as they were. */
  #add(descriptor: Descriptor, interest: number, watch: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, interest, true);
    event.setFloat64(DATA_OFFSET, watch, true);
    libc().epoll_ctl(this.#epoll, EPOLL_CTL_ADD, descriptor, new Uint8Array(event.buffer));
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#watches.size > 0) {
      if (this.#newcomers) await this.#nextTurn();
      let count = this.#batchesLeft-- > 0 ? this.#wait(0) : 0;
      if (count === 0) {
        count = await this.#waitBlocking();
        this.#batchesLeft = BATCHES_A_TURN - 1;
      }
      for (let index = 0; index < count; index++) this.#dispatch(index * EVENT_BYTES);
    }
    this.#running = false;
  }

  /** Even a call to another thread may be over within the same turn. */
  #nextTurn(): Promise<void> {
    this.#newcomers = false;
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** A watch may be over: ended earlier in the same batch, or while the batch was on its way. */
  #dispatch(offset: number): void {
    const ready = this.#view.getUint32(offset, true);
    const watch = this.#view.getFloat64(offset + DATA_OFFSET, true);
    if (watch === WAKE_UP) this.#rest();
    this.#callbacks.get(watch)?.(ready);
  }

  /** Empties the counter that ends a wait for nothing, so that it does not end the next one too. */
  #rest(): void {
    libc().eventfd_read(this.#wakeUp, new Uint8Array(8));
  }

  #wait(milliseconds: number): number {
    return Math.max(0, libc().epoll_wait(this.#epoll, this.#events, BATCH, milliseconds));
  }

  /** Waits on another thread, without a limit; an interrupted wait counts as one without events. */
  async #waitBlocking(): Promise<number> {
    return Math.max(0, await libc().epoll_wait_blocking(this.#epoll, this.#events, BATCH, -1));
  }
}

let shared: Poller | undefined;

/** The one that waits for all commands. @throws {Error} when the process has no descriptors left */
export function sharedPoller(): Poller {
  return shared ??= new Poller();
}

/** Lends the thread on which the shared poller waits, if it does, to work that waits for a thread. */
export function lendPollersThread(): void {
  shared?.lendThread();
}

function opened(descriptor: Descriptor): Descriptor {
  if (descriptor < 0) throw new Error(`cannot wait for events: ${describeErrno(lastErrno())}`);
  return descriptor;
}
