import { createHash, timingSafeEqual } from "node:crypto";

/** Checks a bearer token. Returns why it is refused, for the client, or undefined. */
export type TokenCheck = (token: string) => Promise<string | undefined>;

/** Any visible ASCII: RFC 6750, section 2.1, allows less, but existing tokens may have more. */
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * Checks the Authorization header of a request. Returns the response that refuses it (RFC 6750, section
 * 3), or undefined.
 *
 * @param refused called with the reason of a refusal
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
 * Makes a check that accepts one token, by the SHA-256 digest of the token, with or without a line feed.
 * Digests are compared in constant time, which reveals nothing of the token, not even its length.
 */
export function capabilityTokenCheck(digest: Uint8Array): TokenCheck {
  return (token) => {
    // `sha256sum FILE` includes the line feed of a file with the token on a line.
    const right = [token, `${token}\n`].map((text) => timingSafeEqual(digestOf(text), digest));
    return Promise.resolve(right.includes(true) ? undefined : "the token is wrong");
  };
}

/** The SHA-256 digest of a token. */
export function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
