import { wholeNumber } from "./number_option.ts";
import { UsageError } from "./usage_error.ts";

/** How those who connect must identify themselves. */
export type AuthenticationOptions =
  | { readonly kind: "none" }
  | { readonly kind: "tokenFile"; readonly path: string }
  | { readonly kind: "tokenDigest"; readonly sha256: Uint8Array }
  | {
    readonly kind: "signedToken";
    readonly secretPath: string;
    readonly issuer: string | undefined;
    readonly audience: string | undefined;
    readonly maxClockSkewSeconds: number;
  };

/** The options that say so, for `parseArgs`. */
export const AUTHENTICATION_FLAGS = {
  "ws-auth": { type: "string" },
  "ws-token-file": { type: "string" },
  "ws-token-sha256": { type: "string" },
  "ws-shared-secret-file": { type: "string" },
  "ws-issuer": { type: "string" },
  "ws-audience": { type: "string" },
  "ws-max-clock-skew-seconds": { type: "string" },
} as const;

type Flags = { readonly [Name in keyof typeof AUTHENTICATION_FLAGS]?: string | undefined };

const OF_CAPABILITY_TOKEN = ["ws-token-file", "ws-token-sha256"] as const;
const OF_SIGNED_TOKEN = [
  "ws-shared-secret-file",
  "ws-issuer",
  "ws-audience",
  "ws-max-clock-skew-seconds",
] as const;

const DEFAULT_CLOCK_SKEW_SECONDS = 30;
/** A day; more would make the end of tokens meaningless. */
const MAX_CLOCK_SKEW_SECONDS = 86_400;

/** Reads the options. @throws {UsageError} naming the culprit and the fix */
export function authenticationOptions(flags: Flags): AuthenticationOptions {
  switch (flags["ws-auth"]) {
    case undefined:
      refuse(flags, [...OF_CAPABILITY_TOKEN, ...OF_SIGNED_TOKEN], "give --ws-auth too");
      return { kind: "none" };
    case "capability-token":
      refuse(flags, OF_SIGNED_TOKEN, "it belongs to --ws-auth signed-bearer-token");
      return capabilityToken(flags);
    case "signed-bearer-token":
      refuse(flags, OF_CAPABILITY_TOKEN, "it belongs to --ws-auth capability-token");
      return signedToken(flags);
    default:
      throw new UsageError(
        `--ws-auth: \`${flags["ws-auth"]}\` is not capability-token or signed-bearer-token`,
      );
  }
}

function refuse(flags: Flags, names: readonly (keyof Flags)[], fix: string): void {
  const culprit = names.find((name) => flags[name] !== undefined);
  if (culprit !== undefined) throw new UsageError(`--${culprit} has no effect here: ${fix}`);
}

function capabilityToken(flags: Flags): AuthenticationOptions {
  const { "ws-token-file": path, "ws-token-sha256": digest } = flags;
  if (path !== undefined && digest !== undefined) {
    throw new UsageError("--ws-token-file and --ws-token-sha256 exclude each other; give one");
  }
  if (path !== undefined) return { kind: "tokenFile", path: present("ws-token-file", path) };
  if (digest === undefined) {
    throw new UsageError(
      "--ws-auth capability-token needs the token: --ws-token-file or --ws-token-sha256",
    );
  }
  if (!/^[\da-f]{64}$/i.test(digest)) {
    throw new UsageError(
      "--ws-token-sha256: this is no SHA-256 digest of 64 hexadecimal digits, as " +
        "`printf %s TOKEN | sha256sum` prints it",
    );
  }
  return { kind: "tokenDigest", sha256: Uint8Array.fromHex(digest) };
}

function signedToken(flags: Flags): AuthenticationOptions {
  const path = flags["ws-shared-secret-file"];
  if (path === undefined) {
    throw new UsageError("--ws-auth signed-bearer-token needs --ws-shared-secret-file");
  }
  const skew = flags["ws-max-clock-skew-seconds"] ?? String(DEFAULT_CLOCK_SKEW_SECONDS);
  return {
    kind: "signedToken",
    secretPath: present("ws-shared-secret-file", path),
    issuer: present("ws-issuer", flags["ws-issuer"]),
    audience: present("ws-audience", flags["ws-audience"]),
    maxClockSkewSeconds: wholeNumber(
      "--ws-max-clock-skew-seconds",
      skew,
      0,
      MAX_CLOCK_SKEW_SECONDS,
    ),
  };
}

/** An empty value is a variable that a script forgot to set: it must not mean that anyone may. */
function present<T extends string | undefined>(name: keyof Flags, value: T): T {
  if (value?.trim() === "") throw new UsageError(`--${name} is empty`);
  return value;
}
