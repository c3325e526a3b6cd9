import { ErrorCode, RpcError } from "../protocol/errors.ts";
import { ConnectionError } from "../transport/client_transport.ts";

/** Why there is no session to begin with. */
export function refusal(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) {
    return error.cause instanceof ConnectionError ? error.cause : error;
  }
  const words = error instanceof Error ? error.message : String(error);
  return new ConnectionError("notAnExecutor", `the executor refused a session: ${words}`, {
    cause: error,
  });
}

/** Whether another attempt would end the same way. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof RpcError) return error.code !== ErrorCode.SessionAttached;
  return error instanceof ConnectionError &&
    ["unauthorized", "notAnExecutor", "sessionExpired"].includes(error.code);
}

/** What a permanent failure means for the session. */
export function permanent(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const words = error instanceof Error ? error.message : String(error);
  return new ConnectionError(
    "sessionExpired",
    `the executor no longer knows the session, it was restarted or the outage was long: ${words}`,
    { cause: error },
  );
}

/** The connection has not come back in time; the last attempt ended like this. */
export function timedOut(milliseconds: number, last: unknown): ConnectionError {
  const words = last instanceof Error ? last.message : String(last);
  return new ConnectionError(
    "recoveryTimedOut",
    `the connection did not come back within ${milliseconds / 1000} s: ${words}`,
    { cause: last },
  );
}
