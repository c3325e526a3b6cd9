/** Why a process was lost although the connection was not. */
export type ProcessErrorCode =
  /** Output came faster than it was consumed, and is no longer retained. */
  | "outputLost"
  /** The executor no longer knows the process. */
  | "unknownProcess"
  /** The executor reports that it cannot follow the process. */
  | "executorFailure";

/** A process was lost. */
export class ProcessError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "ProcessError";
  /** The reason; the message describes it. */
  readonly code: ProcessErrorCode;

  /** Makes an error with a code and a message. */
  constructor(code: ProcessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
