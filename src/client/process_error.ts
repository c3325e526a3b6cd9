/** Why a process is lost though the connection is not. */
export type ProcessErrorCode =
  /** Output was produced faster than it could be passed on, and is not retained any more. */
  | "outputLost"
  /** The executor does not know the process any more. */
  | "unknownProcess"
  /** The executor reports that it cannot follow the process. */
  | "executorFailure";

/** A process that this client had to give up. */
export class ProcessError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "ProcessError";
  /** The reason for programs; the message is for people. */
  readonly code: ProcessErrorCode;

  /** Makes the error for a reason; the message tells a person the same. */
  constructor(code: ProcessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
