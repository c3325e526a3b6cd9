const POSTED = 0;
const BEGUN = 1;
const WITHDRAWN = 2;

/**
 * Whether a job that has been posted is begun or withdrawn: both threads know, and only one of the
 * two ever comes about, so that no job is done twice.
 */
export class JobState {
  /** What the threads share. */
  readonly shared: SharedArrayBuffer;
  readonly #state: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#state = new Int32Array(shared);
  }

  /** Returns false if the job has been withdrawn: it must not be done then. */
  begin(): boolean {
    return Atomics.compareExchange(this.#state, 0, POSTED, BEGUN) === POSTED;
  }

  /** Returns false if the job has been begun: it will be done then. */
  withdraw(): boolean {
    return Atomics.compareExchange(this.#state, 0, POSTED, WITHDRAWN) === POSTED;
  }
}
