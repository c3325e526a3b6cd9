import { createHash, timingSafeEqual } from "node:crypto";

/** Looks at a bearer token. Gives why it is refused, in words for the client, or undefined. */
export type TokenCheck = (token: string) => Promise<string | undefined>;

/** Visible ASCII: RFC 6750, section 2.1, allows less, but what was handed out as a token is one. */
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * Decides whether a request may go on, by its Authorization header. Gives the answer that refuses
 * it (RFC 6750, section 3), or undefined.
 *
 * @param refused told why when it is refused
 */
export async function refuseUnauthorized(
  headers: Headers,
  check: TokenCheck,
  refused: (reason: string) => void = () => {},
): Promise<Response | undefined> {
  const authorization = headers.get("authorization");
  if (authorization === null) {
    refused("no token");
    return unauthorized("a token is required: Authorization: Bearer TOKEN", "Bearer");
  }
  const token = BEARER.exec(authorization)?.[1];
  const reason = token === undefined
    ? "the Authorization header is not of the form Bearer TOKEN"
    : await check(token);
  if (reason === undefined) return undefined;
  refused(reason);
  return unauthorized(reason, `Bearer error="invalid_token", error_description="${reason}"`);
}

function unauthorized(reason: string, challenge: string): Response {
  return new Response(`${reason}\n`, { status: 401, headers: { "www-authenticate": challenge } });
}

/**
 * Accepts one token, of which it knows only the SHA-256 digest, with or without a line feed.
 *
 * Digests are compared in constant time: how long it takes tells nothing of the right token, not
 * even its length.
 */
export function capabilityTokenCheck(digest: Uint8Array): TokenCheck {
  return (token) => {
    // The second is what `sha256sum FILE` makes of a file with the token on a line.
    const right = [token, `${token}\n`].map((text) => timingSafeEqual(digestOf(text), digest));
    return Promise.resolve(right.includes(true) ? undefined : "the token is wrong");
  };
}

/** The SHA-256 digest of a token. */
export function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
