import { isAbsolute } from "@std/path/posix";

/** Variables by which common programs are told of certificates to trust besides the system's. */
const VARIABLES = [
  "AWS_CA_BUNDLE",
  "BUNDLE_SSL_CA_CERT",
  "CARGO_HTTP_CAINFO",
  "CODEX_CA_CERTIFICATE",
  "CURL_CA_BUNDLE",
  "DENO_CERT",
  "GIT_SSL_CAINFO",
  "NODE_EXTRA_CA_CERTS",
  "NPM_CONFIG_CAFILE",
  "PIP_CERT",
  "REQUESTS_CA_BUNDLE",
  "SSL_CERT_FILE",
  "npm_config_cafile",
];

/** The files that an environment names so; relative ones are somewhere else each time. */
export function certificateFiles(env: Readonly<Record<string, string>>): string[] {
  const files = VARIABLES.map((name) => env[name]).filter((file) => file !== undefined);
  return [...new Set(files)].filter((file) => isAbsolute(file) && !file.includes("\0"));
}
