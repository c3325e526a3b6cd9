import type { Configuration } from "../config/configuration.ts";
import { optionOf, type SettingName } from "../config/settings.ts";
import { capabilityTokenCheck, digestOf, type TokenCheck } from "../transport/authentication.ts";
import { type NamedFile, readSecret, readToken } from "./secret_file.ts";
import { UsageError } from "./usage_error.ts";

/** How clients must authenticate. */
export type AuthenticationOptions =
  | { readonly kind: "none" }
  | { readonly kind: "tokenFile"; readonly file: NamedFile }
  | { readonly kind: "tokenDigest"; readonly sha256: Uint8Array }
  | {
    readonly kind: "signedToken";
    readonly secret: NamedFile;
    readonly issuer: string | undefined;
    readonly audience: string | undefined;
    readonly maxClockSkewSeconds: number;
  };

const OF_CAPABILITY_TOKEN: readonly SettingName[] = ["wsTokenFile", "wsTokenSha256"];
const OF_SIGNED_TOKEN: readonly SettingName[] = [
  "wsSharedSecretFile",
  "wsIssuer",
  "wsAudience",
  "wsMaxClockSkewSeconds",
];

/** Reads the settings. @throws {ConfigurationError} naming the culprit and the fix */
export function authenticationOptions(configuration: Configuration): AuthenticationOptions {
  switch (configuration.get("wsAuth")) {
    case "none":
      refuse(configuration, [...OF_CAPABILITY_TOKEN, ...OF_SIGNED_TOKEN], "give --ws-auth too");
      return { kind: "none" };
    case "capability-token":
      refuse(configuration, OF_SIGNED_TOKEN, "it belongs to --ws-auth signed-bearer-token");
      return capabilityToken(configuration);
    case "signed-bearer-token":
      refuse(configuration, OF_CAPABILITY_TOKEN, "it belongs to --ws-auth capability-token");
      return signedToken(configuration);
  }
}

/** Refuses settings of other modes, except those that a later layer's mode overrides. */
function refuse(configuration: Configuration, names: readonly SettingName[], fix: string): void {
  const culprit = names.find((name) =>
    configuration.isGiven(name) && !configuration.outranks("wsAuth", name)
  );
  if (culprit !== undefined) throw configuration.wrong(culprit, ` has no effect here: ${fix}`);
}

function capabilityToken(configuration: Configuration): AuthenticationOptions {
  const path = configuration.get("wsTokenFile");
  const digest = configuration.get("wsTokenSha256");
  const both = path !== undefined && digest !== undefined;
  if (
    both && !configuration.outranks("wsTokenFile", "wsTokenSha256") &&
    !configuration.outranks("wsTokenSha256", "wsTokenFile")
  ) {
    const other = `--${optionOf("wsTokenSha256")}`;
    throw configuration.wrong("wsTokenFile", ` and ${other} exclude each other; give one`);
  }
  if (path !== undefined && !(both && configuration.outranks("wsTokenSha256", "wsTokenFile"))) {
    return { kind: "tokenFile", file: { path, setting: configuration.nameOf("wsTokenFile") } };
  }
  if (digest !== undefined) return { kind: "tokenDigest", sha256: Uint8Array.fromHex(digest) };
  throw configuration.wrong(
    "wsAuth",
    " capability-token needs the token: --ws-token-file or --ws-token-sha256",
  );
}

function signedToken(configuration: Configuration): AuthenticationOptions {
  const path = configuration.get("wsSharedSecretFile");
  if (path === undefined) {
    throw configuration.wrong("wsAuth", " signed-bearer-token needs --ws-shared-secret-file");
  }
  return {
    kind: "signedToken",
    secret: { path, setting: configuration.nameOf("wsSharedSecretFile") },
    issuer: configuration.get("wsIssuer"),
    audience: configuration.get("wsAudience"),
    maxClockSkewSeconds: configuration.get("wsMaxClockSkewSeconds"),
  };
}

/** A key must not be shorter than its hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;

/**
 * Makes the check of tokens, and reads the secrets that it needs.
 *
 * @throws {UsageError} when a file cannot be read or its content is wrong
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
