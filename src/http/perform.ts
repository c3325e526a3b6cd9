import { concat } from "@std/bytes/concat";
import { errorFields, log } from "../log/log.ts";
import { internalError, type RpcError } from "../protocol/errors.ts";
import type { Params } from "../protocol/methods.ts";
import { exchange, type HttpResponse } from "./exchange.ts";
import type { Variables } from "./proxy.ts";
import { follow, RedirectError } from "./redirects.ts";
import type { HttpRequest } from "./request.ts";
import { shownUrl } from "./url.ts";

/** Largest body that is buffered, in bytes: as base64 it fits into the largest message. */
export const MAX_BUFFERED_BODY_BYTES = 32 * 1024 * 1024;

/** The error of a body that breaks off, whatever the reason. */
export const BODY_BROKEN = "error decoding response body";

/**
 * Makes a request for a client. The caller disposes of the response.
 *
 * @param signal aborting it ends the request, and later its body
 * @throws {RpcError} -32603 when there is no response
 */
export async function perform(
  request: HttpRequest,
  redirectPolicy: Params<"http/request">["redirectPolicy"],
  env: Variables,
  signal: AbortSignal,
): Promise<HttpResponse> {
  try {
    signal.throwIfAborted();
    return await (redirectPolicy === "stop" ? exchange : follow)(request, env, signal);
  } catch (error) {
    throw failedRequest(request, error);
  }
}

/** The error of a request without a response. */
export function failedRequest({ url }: HttpRequest, error: unknown): RpcError {
  log("debug", "http/request failed", errorFields(error));
  const reason = error instanceof RedirectError
    ? error.reason
    : `error sending request for url (${shownUrl(url)})`;
  return internalError(`http/request failed: ${reason}`, error);
}

/** Reads a response's body. @throws {RpcError} -32603 when it breaks off or is too large */
export async function wholeBody({ body }: HttpResponse): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for await (const piece of body) {
      length += piece.length;
      if (length > MAX_BUFFERED_BODY_BYTES) break;
      pieces.push(piece);
    }
  } catch (error) {
    log("debug", "a response's body broke off", errorFields(error));
    throw unreadableBody(BODY_BROKEN);
  }
  if (length > MAX_BUFFERED_BODY_BYTES) {
    throw unreadableBody(`larger than ${MAX_BUFFERED_BODY_BYTES} bytes; ask for it as a stream`);
  }
  return concat(pieces);
}

function unreadableBody(reason: string): RpcError {
  return internalError(`failed to read http/request response body: ${reason}`);
}

// Exported from here, so that one import loads the HTTP client.
export { checkRequest } from "./request.ts";
