import { bindEntries, type BindingFacts, policyPaths } from "./entries.ts";
import type { Policy } from "./policy.ts";
import { dirname, isAbsolute, normalize } from "@std/path/posix";

/**
 * The paths that are looked at to bind a policy, as they are written.
 *
 * @throws {RpcError} -32602 as binding does
 */
export function namedPaths({ sandbox }: Policy, facts: BindingFacts): string[] {
  const named = policyPaths(sandbox, facts);
  const { paths, patterns } = bindEntries(sandbox, named);
  return [
    ...named.workspaceRoots ?? [],
    ...paths.map(({ path }) => path),
    ...patterns.map(literalDirectory),
    ...facts.certificateFiles ?? [],
  ];
}

/** The deepest directory that a pattern names without leaving anything open. */
function literalDirectory(pattern: string): string {
  return dirname(normalize(pattern.replace(/[*?[\]{}\\].*$/s, "x")));
}

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
