import { ErrorCode, RpcError } from "../protocol/errors.ts";
import { ConnectionError } from "../transport/client_transport.ts";

/** The error of a session that could not be opened. */
export function refusal(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) {
    return error.cause instanceof ConnectionError ? error.cause : error;
  }
  const words = error instanceof Error ? error.message : String(error);
  return new ConnectionError("notAnExecutor", `the executor refused a session: ${words}`, {
    cause: error,
  });
}

/** The error of a session that could not be resumed by another client than the one that opened it. */
export function notResumed(error: RpcError): ConnectionError {
  return error.code === ErrorCode.SessionAttached
    ? new ConnectionError("sessionAttached", error.message, { cause: error })
    : permanent(error);
}

/** Whether another attempt would end the same way. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof RpcError) return error.code !== ErrorCode.SessionAttached;
  return error instanceof ConnectionError &&
    ["unauthorized", "notAnExecutor", "sessionExpired"].includes(error.code);
}

/** The error that a permanent failure ends the session with. */
export function permanent(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const words = error instanceof Error ? error.message : String(error);
  return new ConnectionError(
    "sessionExpired",
    `the executor no longer knows the session; it was restarted, or the outage was too long: ${words}`,
    { cause: error },
  );
}

/** The error of a session that could not be resumed in time. @param last the last attempt's error */
export function timedOut(milliseconds: number, last: unknown): ConnectionError {
  const words = last instanceof Error ? last.message : String(last);
  return new ConnectionError(
    "recoveryTimedOut",
    `the connection did not come back within ${milliseconds / 1000} s: ${words}`,
    { cause: last },
  );
}
