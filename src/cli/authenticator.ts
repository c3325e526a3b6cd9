import type { TokenCheck } from "../transport/authentication.ts";
import { capabilityTokenCheck, digestOf } from "../transport/capability_token.ts";
import type { AuthenticationOptions } from "./authentication_options.ts";
import type { NamedFile } from "./named_file.ts";
import { readSecret, readToken } from "./secret_file.ts";
import { UsageError } from "./usage_error.ts";

/** A key shorter than its hash is weaker than it (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;

/**
 * The check that the options ask for, with the secrets that they name.
 *
 * @throws {UsageError} when a file cannot be read or does not hold what it should
 */
export async function tokenCheckFor(
  options: Exclude<AuthenticationOptions, { kind: "none" }>,
): Promise<TokenCheck> {
  switch (options.kind) {
    case "tokenDigest":
      return capabilityTokenCheck(options.sha256);
    case "tokenFile":
      return capabilityTokenCheck(digestOf(await readToken(options.file)));
    case "signedToken": {
      const secret = await readSharedSecret(options.secret);
      const { signedTokenCheck } = await import("../transport/signed_token.ts");
      return await signedTokenCheck({ ...options, secret });
    }
  }
}

/** Reads the secret of signed tokens. @throws {UsageError} naming the setting */
export async function readSharedSecret(file: NamedFile): Promise<Uint8Array<ArrayBuffer>> {
  const secret = new TextEncoder().encode(await readSecret(file));
  if (secret.length >= MIN_SECRET_BYTES) return secret;
  throw new UsageError(
    `${file.setting}: ${file.path} holds ${secret.length} bytes, at least ${MIN_SECRET_BYTES} ` +
      "are needed; `openssl rand -hex 32` makes a good one",
  );
}
