import { createHash, timingSafeEqual } from "node:crypto";

/** What becomes of a bearer token. */
export type TokenVerdict =
  | {
    readonly kind: "accepted";
    /** Whom it names; missing where it names nobody. */
    readonly subject?: string | undefined;
  }
  | {
    readonly kind: "refused";
    /** For the client. */
    readonly reason: string;
  };

/** Checks a bearer token. */
export type TokenCheck = (token: string) => Promise<TokenVerdict>;

/** What becomes of a request. */
export type Admission =
  | Extract<TokenVerdict, { kind: "accepted" }>
  | { readonly kind: "refused"; readonly response: Response };

/** Any visible ASCII: RFC 6750, section 2.1, allows less, but existing tokens may have more. */
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * Checks the Authorization header of a request, and makes the response that refuses it (RFC 6750,
 * section 3).
 *
 * @param refused called with the reason of a refusal
 */
export async function authorize(
  headers: Headers,
  check: TokenCheck,
  refused: (reason: string) => void = () => {},
): Promise<Admission> {
  const authorization = headers.get("authorization");
  if (authorization === null) {
    refused("no token");
    return unauthorized("a token is required: Authorization: Bearer TOKEN", "Bearer");
  }
  const token = BEARER.exec(authorization)?.[1];
  const verdict: TokenVerdict = token === undefined
    ? { kind: "refused", reason: "the Authorization header is not of the form Bearer TOKEN" }
    : await check(token);
  if (verdict.kind === "accepted") return verdict;
  const { reason } = verdict;
  refused(reason);
  return unauthorized(reason, `Bearer error="invalid_token", error_description="${reason}"`);
}

function unauthorized(reason: string, challenge: string): Admission {
  const headers = { "www-authenticate": challenge };
  return { kind: "refused", response: new Response(`${reason}\n`, { status: 401, headers }) };
}

/**
 * Makes a check that accepts one token, by the SHA-256 digest of the token, with or without a line feed.
 * Digests are compared in constant time, which reveals nothing of the token, not even its length.
 */
export function capabilityTokenCheck(digest: Uint8Array): TokenCheck {
  return (token) => {
    // `sha256sum FILE` includes the line feed of a file with the token on a line.
    const right = [token, `${token}\n`].map((text) => timingSafeEqual(digestOf(text), digest));
    const verdict: TokenVerdict = right.includes(true)
      ? { kind: "accepted" }
      : { kind: "refused", reason: "the token is wrong" };
    return Promise.resolve(verdict);
  };
}

/** The SHA-256 digest of a token. */
export function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
