import type { WriteOutcome } from "../child.ts";

/** What an output tells of itself. */
export interface OutputObserver {
  bytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** Every writer has closed. Told once, and not after `close`. */
  ended(): void;
}

/** Our end of a child's output. Reading begins when it is resumed for the first time. */
export interface ChildOutput {
  pause(): void;
  resume(): void;
  /** Stops reading for good. */
  close(): void;
}

/** Makes an output that tells an observer. */
export type OutputOpener = (observer: OutputObserver) => ChildOutput;

/** Our end of a child's input. */
export interface ChildInput {
  /** In the order of the calls; `closed` when the child no longer reads. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome>;
  /** Ends the input behind the writes that wait. */
  end(): void;
  /** Writes that wait are answered `closed`. */
  close(): void;
}
