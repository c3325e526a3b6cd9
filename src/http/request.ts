import { invalidParams } from "../protocol/errors.ts";
import type { Params } from "../protocol/methods.ts";
import { parseHttpUrl } from "./url.ts";

/** One line of a message's head. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/** A request whose parts are all well-formed. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** In the order in which they are sent. */
  readonly headers: readonly Header[];
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Control characters other than the tab may not stand in a value (RFC 9110, section 5.5). */
// deno-lint-ignore no-control-regex
const FORBIDDEN_IN_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Checks the request that a client asks for. @throws {RpcError} -32602 */
export function checkRequest(params: Params<"http/request">): HttpRequest {
  const { method, url, headers, bodyBase64: body } = params;
  if (!TOKEN.test(method)) {
    throw invalidParams("http/request method is invalid: invalid HTTP method");
  }
  const request = { method, url: parseHttpUrl(url), headers, body };
  headers.forEach(checkHeader);
  checkFraming(headers, body?.length ?? 0);
  return request;
}

/** Whether a text may name a header or a method. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether a header has a name, in any case. */
export function isNamed({ name }: Header, lowerCaseName: string): boolean {
  return name.toLowerCase() === lowerCaseName;
}

function checkHeader({ name, value }: Header): void {
  if (!TOKEN.test(name)) {
    throw invalidParams("http/request header name is invalid: invalid HTTP header name");
  }
  if (FORBIDDEN_IN_VALUE.test(value)) {
    throw invalidParams(
      `http/request header value is invalid for ${name}: failed to parse header value`,
    );
  }
}

/** A wrong length makes the server wait, or read the rest of the body as another request. */
function checkFraming(headers: readonly Header[], bodyLength: number): void {
  const lengths = headers.filter((header) => isNamed(header, "content-length"));
  const codings = headers.filter((header) => isNamed(header, "transfer-encoding"));
  if (codings.some(({ value }) => value.trim().toLowerCase() !== "chunked")) {
    throw invalidParams("http/request can send no transfer-encoding but chunked");
  }
  if (codings.length + lengths.length > 1) {
    throw invalidParams("http/request headers give the body's length more than once");
  }
  if (lengths.some(({ value }) => value.trim() !== String(bodyLength))) {
    throw invalidParams(
      `http/request header value is invalid for content-length: the body has ${bodyLength} bytes`,
    );
  }
}

/** Why an HTTP exchange failed; the message is for logs. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
}
