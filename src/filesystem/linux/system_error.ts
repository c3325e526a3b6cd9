import { constants } from "node:os";
import { describeErrno, lastErrno } from "../../native/errno.ts";

const NAMES = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));

/** An error of the system's, in the form in which Deno and Node tell theirs. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** As in `ENOENT`. */
  readonly code: string;

  constructor(code: keyof typeof constants.errno) {
    super(describeErrno(constants.errno[code]));
    this.code = code;
  }
}

/** The error of the last call on this thread, which failed. */
export function lastError(): SystemError {
  return new SystemError(isErrorName(NAMES.get(lastErrno())) ?? "EIO");
}

function isErrorName(name: string | undefined): keyof typeof constants.errno | undefined {
  return Object.keys(constants.errno).find((known): known is keyof typeof constants.errno =>
    known === name
  );
}
