import { JOSEError, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { jwtVerify } from "jose/jwt/verify";
import type { TokenCheck } from "./authentication.ts";

/** The rules for signed tokens. */
export interface SignedTokenRules {
  /** The key of HMAC-SHA-256, which both sides know. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** The required issuer (`iss`); undefined accepts any. */
  readonly issuer: string | undefined;
  /** The required audience (`aud`); undefined accepts any. */
  readonly audience: string | undefined;
  /** How far the issuer's clock may differ, in seconds. */
  readonly maxClockSkewSeconds: number;
}

/**
 * Makes a check that accepts JSON Web Tokens (RFC 7519) that are signed with HS256 and expire. A token
 * with another algorithm in its header is refused before any computation (RFC 8725, section 3.1).
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
        ? { kind: "refused", reason: "the token was issued in the future" }
        : { kind: "accepted", subject: payload.sub };
    } catch (error) {
      if (error instanceof JOSEError) return { kind: "refused", reason: reasonOf(error) };
      throw error;
    }
  };
}

/** The library checks `iat` only for tokens with an age limit. */
function issuedInTheFuture(issuedAt: number | undefined, rules: SignedTokenRules): boolean {
  return issuedAt !== undefined && issuedAt > Date.now() / 1000 + rules.maxClockSkewSeconds;
}

/** Claims are checked last, so only a client with the secret learns what is wrong with one. */
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
