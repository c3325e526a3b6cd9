import { constants } from "node:os";

/** Why a call fails, as the kernel would say it (errno(3)). */
export class CallError extends Error {
  override readonly name = "CallError";
  /** Positive. */
  readonly errno: number;

  constructor(errno: number) {
    super(`error ${errno}`);
    this.errno = errno;
  }
}

/** Error numbers by their names. */
export const Errno: typeof constants.errno = constants.errno;

/** The result, unless it is a negative error number. @throws {CallError} */
export function succeeded(result: number): number {
  if (result < 0) throw new CallError(-result);
  return result;
}

/** Goes on if the error number is 0. @throws {CallError} if not */
export function allow(errno: number): void {
  if (errno !== 0) throw new CallError(errno);
}
