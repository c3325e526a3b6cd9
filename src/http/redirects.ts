import { exchange, type HttpResponse } from "./exchange.ts";
import type { Variables } from "./proxy.ts";
import { type Header, HttpFailure, type HttpRequest, isNamed } from "./request.ts";
import { isHttp, shownUrl } from "./url.ts";

/** Redirects that one request may lead through. */
const MAX_REDIRECTS = 10;

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];
/** Headers that are not sent to another server. */
const BOUND_TO_ORIGIN: readonly string[] = [
  "authorization",
  "cookie",
  "cookie2",
  "proxy-authorization",
  "www-authenticate",
  "host",
];
/** Headers that describe a body. */
const OF_BODY: readonly string[] = [
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
];

/** A redirect cannot be followed. */
export class RedirectError extends HttpFailure {
  /** @param reason for clients, with the address */
  constructor(readonly reason: string) {
    super("a redirect cannot be followed");
  }
}

/**
 * Sends a request and follows redirects (RFC 9110, section 15.4).
 *
 * @throws {RedirectError} after {@linkcode MAX_REDIRECTS}, or when one leads away from http(s)
 * @throws {Error} as {@linkcode exchange} does
 */
export async function follow(
  first: HttpRequest,
  env: Variables,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let request = first;
  for (let redirects = 0;; redirects++) {
    const response = await exchange(request, env, signal);
    const target = redirectTarget(response, request.url);
    if (target === undefined) return response;
    response[Symbol.dispose]();
    if (redirects === MAX_REDIRECTS) {
      throw new RedirectError(`error following redirect for url (${shownUrl(request.url)})`);
    }
    if (!isHttp(target)) throw new RedirectError(`builder error for url (${shownUrl(target)})`);
    request = redirected(request, response.status, target);
  }
}

/** The target of a redirect; undefined for any other response. */
function redirectTarget({ status, headers }: HttpResponse, base: URL): URL | undefined {
  if (!REDIRECT_STATUSES.includes(status)) return undefined;
  const location = headers.find(({ name }) => name === "location")?.value;
  const target = location === undefined ? null : URL.parse(location, base);
  return target === null || target.host === "" ? undefined : target;
}

/** The request that a redirect asks for. */
function redirected(request: HttpRequest, status: number, target: URL): HttpRequest {
  const { url } = request;
  const becomesGet = status === 303
    ? request.method !== "HEAD"
    : status < 303 && request.method === "POST";
  const elsewhere = target.origin !== url.origin;
  const dropped = [
    "referer",
    ...becomesGet ? OF_BODY : [],
    ...elsewhere ? BOUND_TO_ORIGIN : [],
  ];
  const kept = request.headers.filter((header) =>
    !dropped.some((name) => isNamed(header, name)) && !(elsewhere && header.secret)
  );
  return {
    method: becomesGet ? "GET" : request.method,
    url: elsewhere ? target : withUserOf(url, target),
    headers: [...kept, ...referer(url, target)],
    body: becomesGet ? undefined : request.body,
  };
}

/** The target with the name and password of the first URL, which are for the whole server. */
function withUserOf({ username, password }: URL, target: URL): URL {
  if (target.username !== "" || target.password !== "") return target;
  const url = new URL(target);
  url.username = username;
  url.password = password;
  return url;
}

/**
 * The Referer header (RFC 9110, section 10.1.3). Paths and queries can be secret: another origin is
 * told the origin alone, and an unencrypted server nothing of an encrypted one, which is what
 * `strict-origin-when-cross-origin` says (https://www.w3.org/TR/referrer-policy/).
 */
function referer(from: URL, to: URL): Header[] {
  if (from.protocol === "https:" && to.protocol === "http:") return [];
  if (from.origin !== to.origin) return [{ name: "referer", value: `${from.origin}/` }];
  const value = new URL(shownUrl(from));
  value.hash = "";
  return [{ name: "referer", value: value.href }];
}
