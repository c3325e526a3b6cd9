import { createHash, timingSafeEqual } from "node:crypto";
import type { TokenCheck } from "./authentication.ts";

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
