import { JOSEError, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { jwtVerify } from "jose/jwt/verify";
import type { TokenCheck } from "./authentication.ts";

/** What a signed token must be like. */
export interface SignedTokenRules {
  /** The key of HMAC-SHA-256, which both sides know. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** The one who must have issued it (`iss`), or undefined for anyone with the secret. */
  readonly issuer: string | undefined;
  /** The one whom it must be meant for (`aud`), or undefined for anyone. */
  readonly audience: string | undefined;
  /** How far the issuer's clock and this one may be apart, in seconds. */
  readonly maxClockSkewSeconds: number;
}

/**
 * Accepts JSON Web Tokens (RFC 7519) that are signed with HS256 and expire. A token whose header
 * names another algorithm, or none, is refused before anything is computed (RFC 8725, section 3.1).
 */
export async function signedTokenCheck(rules: SignedTokenRules): Promise<TokenCheck> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", rules.secret, algorithm, false, ["verify"]);
  const options = {
    algorithms: ["HS256"],
    requiredClaims: ["exp"],
    clockTolerance: rules.maxClockSkewSeconds,
    ...rules.issuer === undefined ? {} : { issuer: rules.issuer },
    ...rules.audience === undefined ? {} : { audience: rules.audience },
  };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, key, options);
      return issuedInTheFuture(payload.iat, rules)
        ? "the token was issued in the future"
        : undefined;
    } catch (error) {
      if (error instanceof JOSEError) return reasonOf(error);
      throw error;
    }
  };
}

/** The library looks at `iat` only where tokens have an age limit. */
function issuedInTheFuture(issuedAt: number | undefined, rules: SignedTokenRules): boolean {
  return issuedAt !== undefined && issuedAt > Date.now() / 1000 + rules.maxClockSkewSeconds;
}

/** Claims are looked at last, so that only who has the secret learns what is wrong with one. */
function reasonOf(error: JOSEError): string {
  if (error instanceof JWTExpired) return "the token has expired";
  if (!(error instanceof JWTClaimValidationFailed)) return "the token is not signed as required";
  switch (error.claim) {
    case "nbf":
      return "the token is not valid yet";
    case "iss":
      return "the token is from another issuer";
    case "aud":
      return "the token is meant for another audience";
    case "exp":
      return "the token does not say when it expires";
    default:
      return "the token makes a claim that cannot be read";
  }
}
