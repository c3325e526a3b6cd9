import type { WriteOutcome } from "../child.ts";

/** Gets the bytes of an output. */
export interface OutputObserver {
  bytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** All writers have closed it. Called once, and not after `close`. */
  ended(): void;
}

/** The reading end of a child's output. Reading begins at the first `resume`. */
export interface ChildOutput {
  pause(): void;
  resume(): void;
  /** Stops reading for good. */
  close(): void;
}

/** Opens an output for an observer. */
export type OutputOpener = (observer: OutputObserver) => ChildOutput;

/** The writing end of a child's input. */
export interface ChildInput {
  /** Writes in the order of the calls. Settles with `closed` when the child no longer reads. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome>;
  /** Ends the input after the writes that wait. */
  end(): void;
  /** Closes the input; writes that wait settle with `closed`. */
  close(): void;
}
