import { digestOf } from "../transport/authentication.ts";
import { readSharedSecret } from "./authentication_options.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import { readToken } from "./secret_file.ts";
import { HELP_OPTION, parseOptions } from "./setting_options.ts";
import { print } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";

/** Random bytes of a token: as many as its digest has. */
const TOKEN_BYTES = 32;
const DEFAULT_LIFE_SECONDS = 3600;

const SIGNED = ["ws-issuer", "ws-audience", "subject", "expires-in"] as const;

const OPTIONS = {
  sha256: {
    type: "string",
    placeholder: "FILE",
    meaning: "print the digest of the token in this file, for --ws-token-sha256",
  },
  "ws-shared-secret-file": {
    type: "string",
    placeholder: "FILE",
    meaning: "print a JSON Web Token, signed (HS256) with the secret in this file",
  },
  "ws-issuer": { type: "string", placeholder: "ISSUER", meaning: "issuer of the signed token" },
  "ws-audience": {
    type: "string",
    placeholder: "AUDIENCE",
    meaning: "audience that the signed token is meant for",
  },
  subject: {
    type: "string",
    placeholder: "SUBJECT",
    meaning: "whom the signed token names: an executor's audit log has it",
  },
  "expires-in": {
    type: "string",
    placeholder: "SECONDS",
    meaning: `seconds that the signed token is valid (default ${DEFAULT_LIFE_SECONDS})`,
  },
  ...HELP_OPTION,
} as const;

/** What is told of `remex token`. */
export const TOKEN_MANUAL: CommandManual = {
  synopsis: "token [options]",
  description:
    `Prints a token for \`Authorization: Bearer TOKEN\`. Without options it is a random one, for
--ws-auth capability-token; with a secret it is one for --ws-auth signed-bearer-token.`,
  options: optionsHelp(OPTIONS),
  notes: () => "",
};

/** `remex token`: makes tokens for clients. Returns the exit code. */
export async function token(args: string[]): Promise<number> {
  const values = parse(args);
  await print(values.help ? usageText(TOKEN_MANUAL) : `${await tokenFor(values)}\n`);
  return 0;
}

async function tokenFor(values: ReturnType<typeof parse>): Promise<string> {
  const { sha256, "ws-shared-secret-file": secretFile } = values;
  if (secretFile === undefined) {
    const culprit = SIGNED.find((name) => values[name] !== undefined);
    if (culprit !== undefined) {
      throw new UsageError(`--${culprit} needs --ws-shared-secret-file`);
    }
  } else if (sha256 !== undefined) {
    throw new UsageError("--sha256 and --ws-shared-secret-file exclude each other; give one");
  } else {
    return await signedToken({ ...values, "ws-shared-secret-file": secretFile });
  }
  if (sha256 === undefined) return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
  const given = await readToken({ setting: "--sha256", path: sha256 });
  return Uint8Array.from(digestOf(given)).toHex();
}

/** A JSON Web Token (RFC 7519) that begins to be valid now. */
async function signedToken(
  values: ReturnType<typeof parse> & { readonly "ws-shared-secret-file": string },
): Promise<string> {
  const path = values["ws-shared-secret-file"];
  const secret = await readSharedSecret({ setting: "--ws-shared-secret-file", path });
  const { SignJWT } = await import("jose/jwt/sign");
  const { "ws-issuer": issuer, "ws-audience": audience, subject } = values;
  const life = lifeSeconds(values["expires-in"]);
  const now = Math.floor(Date.now() / 1000);
  const unsigned = new SignJWT().setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuedAt(now).setExpirationTime(now + life);
  if (issuer !== undefined) unsigned.setIssuer(issuer);
  if (audience !== undefined) unsigned.setAudience(audience);
  if (subject !== undefined) unsigned.setSubject(subject);
  return await unsigned.sign(secret);
}

/** @throws {UsageError} */
function lifeSeconds(text = String(DEFAULT_LIFE_SECONDS)): number {
  if (/^\d{1,10}$/.test(text) && Number(text) > 0) return Number(text);
  throw new UsageError(`--expires-in: \`${text}\` is not a whole number of seconds above 0`);
}

function parse(args: string[]) {
  return parseOptions("token", args, OPTIONS);
}
