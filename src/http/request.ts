import { invalidParams } from "../protocol/errors.ts";
import type { Params } from "../protocol/methods.ts";
import type { Variables } from "./proxy.ts";
import { parseHttpUrl } from "./url.ts";

/** One line of a message's head. */
export interface Header {
  readonly name: string;
  readonly value: string;
  /** Whether the value is the executor's secret, and meant for one server only. */
  readonly secret?: boolean;
}

/** A request whose parts are all well-formed. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** In the order in which they are sent. */
  readonly headers: readonly Header[];
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** Control characters other than the tab may not stand in a value (RFC 9110, section 5.5). */
// deno-lint-ignore no-control-regex
const FORBIDDEN_IN_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Checks the request that a client asks for.
 *
 * @param env variables that continue values of headers
 * @throws {RpcError} -32602
 */
export function checkRequest(params: Params<"http/request">, env: Variables): HttpRequest {
  const { method, url, bodyBase64: body } = params;
  if (!isToken(method)) {
    throw invalidParams("http/request method is invalid: invalid HTTP method");
  }
  const headers = params.headers.map((header) => withVariable(header, env));
  const request = { method, url: parseHttpUrl(url), headers, body };
  headers.forEach(checkHeader);
  checkFraming(headers, body?.length ?? 0);
  return request;
}

/** Whether a text may name a header or a method (RFC 9110, section 5.6.2). */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}

/** Whether a header has a name, in any case. */
export function isNamed({ name }: Header, lowerCaseName: string): boolean {
  return name.toLowerCase() === lowerCaseName;
}

/**
 * Variables that no header is given: the executor's own credentials, for the providers of models
 * and clouds. Clients count on the refusal, and use it to tell a configuration that is wrong.
 */
const WITHHELD: readonly string[] = [
  "OPENAI_API_KEY",
  "OPENAI_FEDERATION_RULE_ID",
  "OPENAI_IDENTITY_TOKEN_FILE",
  "OPENAI_WORKLOAD_IDENTITY_CONTEXT",
  "CODEX_API_KEY",
  "CODEX_ACCESS_TOKEN",
  "CODEX_CONNECTORS_TOKEN",
  "CODEX_EXEC_SERVER_NOISE_AUTH_TOKEN",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AZURE_CLIENT_SECRET",
  "AZURE_FEDERATED_TOKEN_FILE",
  "GOOGLE_APPLICATION_CREDENTIALS",
];

/** A header with the value that is sent. */
function withVariable(
  { name, value, valueEnvVar }: Params<"http/request">["headers"][number],
  env: Variables,
): Header {
  if (valueEnvVar === undefined) return { name, value };
  const header = `http/request header ${name}`;
  if (WITHHELD.includes(valueEnvVar.toUpperCase())) {
    throw invalidParams(`${header} cannot use executor environment variable ${valueEnvVar}`);
  }
  const found = Object.hasOwn(env, valueEnvVar) ? env[valueEnvVar] : undefined;
  if (found === undefined) {
    throw invalidParams(`${header} requires executor environment variable ${valueEnvVar}`);
  }
  if (found === "") {
    throw invalidParams(
      `${header} requires a non-empty executor environment variable ${valueEnvVar}`,
    );
  }
  return { name, value: `${value}${found}`, secret: true };
}

function checkHeader({ name, value }: Header): void {
  if (!isToken(name)) {
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
