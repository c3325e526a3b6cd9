import { currentProcessor, keepOnProcessor, threadNumber } from "../../os/processors.ts";
import { Errno } from "./call_error.ts";

/** The other thread waits for a request, the first one or after the last result. */
const IDLE = 0;
const REQUESTED = 1;
const ENDED = 2;

/** The state, the other thread's number, then the number of a call with its arguments, then its result. */
const THREAD_OFFSET = 4;
/** No thread has this number. */
const NOBODY = 0;
const ARGUMENTS_OFFSET = 8;
const ARGUMENTS = 7;
const RESULT_OFFSET = ARGUMENTS_OFFSET + 8 * ARGUMENTS;
const CHANNEL_BYTES = RESULT_OFFSET + 8;

/** What two threads share of which one has the other make system calls. */
export function performerChannel(): SharedArrayBuffer {
  return new SharedArrayBuffer(CHANNEL_BYTES);
}

/** Both ends of the channel. */
class Channel {
  readonly state: Int32Array;
  readonly thread: Int32Array;
  readonly arguments: BigInt64Array;
  readonly result: BigInt64Array;

  constructor(shared: SharedArrayBuffer) {
    this.state = new Int32Array(shared, 0, 1);
    this.thread = new Int32Array(shared, THREAD_OFFSET, 1);
    this.arguments = new BigInt64Array(shared, ARGUMENTS_OFFSET, ARGUMENTS);
    this.result = new BigInt64Array(shared, RESULT_OFFSET, 1);
  }
}

/** Makes system calls. */
export interface CallMaker {
  /**
   * Has a call made, and waits. Returns its result, or the negative error number.
   *
   * @param args what is a pointer to the kernel has to point to memory that stays where it is
   */
  call(number: number, args: readonly (number | bigint)[]): number;
}

/** Makes system calls on this thread. */
export class OwnCalls implements CallMaker {
  readonly #arguments = new BigInt64Array(ARGUMENTS);
  readonly #make: (args: BigInt64Array) => number;

  constructor(make: (args: BigInt64Array) => number) {
    this.#make = make;
  }

  call(number: number, args: readonly (number | bigint)[]): number {
    this.#arguments[0] = BigInt(number);
    for (let index = 1; index < ARGUMENTS; index++) {
      this.#arguments[index] = BigInt(args[index - 1] ?? 0);
    }
    return this.#make(this.#arguments);
  }
}

/**
 * Has system calls made by a thread that may do less than this one. Both threads are of one program
 * and have its memory and its descriptors in common.
 */
export class Performer implements CallMaker {
  readonly #channel: Channel;
  #processor = -1;

  constructor(shared: SharedArrayBuffer) {
    this.#channel = new Channel(shared);
  }

  /**
   * Has a call made, and waits. Returns its result, or the negative error number.
   *
   * @param args what is a pointer to the kernel has to point to memory that stays where it is
   */
  call(number: number, args: readonly (number | bigint)[]): number {
    const { state, arguments: shared, result } = this.#channel;
    this.#shareProcessor();
    shared[0] = BigInt(number);
    for (let index = 1; index < ARGUMENTS; index++) shared[index] = BigInt(args[index - 1] ?? 0);
    // Nobody makes calls any more after the end, nor would anybody wake this thread.
    if (Atomics.compareExchange(state, 0, IDLE, REQUESTED) === ENDED) return -Errno.EINTR;
    Atomics.notify(state, 0);
    while (Atomics.load(state, 0) === REQUESTED) Atomics.wait(state, 0, REQUESTED);
    return Number(result[0] ?? 0n);
  }

  /** One of the threads waits anyway, and waking another processor takes longer than most calls. */
  #shareProcessor(): void {
    const here = currentProcessor();
    if (here === this.#processor) return;
    this.#processor = here;
    const [thread = NOBODY] = this.#channel.thread;
    if (thread !== NOBODY) keepOnProcessor(thread, here);
  }

  /** Has the other thread end. */
  end(): void {
    Atomics.store(this.#channel.state, 0, ENDED);
    Atomics.notify(this.#channel.state, 0);
  }
}

/** Makes the calls that another thread asks for, until that ends it. Holds this thread up. */
export function performCalls(
  shared: SharedArrayBuffer,
  make: (args: BigInt64Array) => number,
): void {
  const { state, thread, arguments: args, result } = new Channel(shared);
  thread[0] = threadNumber() ?? NOBODY;
  for (;;) {
    const now = Atomics.load(state, 0);
    if (now === ENDED) return;
    if (now !== REQUESTED) {
      Atomics.wait(state, 0, now);
      continue;
    }
    result[0] = BigInt(make(args));
    // Whoever ends this thread meanwhile is heard.
    Atomics.compareExchange(state, 0, REQUESTED, IDLE);
    Atomics.notify(state, 0);
  }
}
