import type { ConnectionError } from "../client/mod.ts";

const TRUST = "SSL_CERT_FILE names a file of certificates to trust besides the usual ones";

/** What can be done about an executor that lets nobody in, by the words that tell of it. */
const HINTS: readonly (readonly [words: string, hint: string])[] = [
  ["UnknownIssuer", TRUST],
  // Another certificate that is trusted has the same name, as an older one of the same server.
  ["BadSignature", TRUST],
  ["CaUsedAsEndEntity", "the certificate must be made with basicConstraints=CA:FALSE"],
  ["InvalidContentType", "it may be encrypted by nobody: ws:// instead of wss://"],
  ["something else than HTTP", "it may be encrypted: wss:// instead of ws://"],
  ["a token is required", "give it with --token-file"],
];

/** What can be done about an executor that cannot be reached, to follow on what is wrong. */
export function connectHint({ message }: ConnectionError): string {
  const hint = HINTS.find(([words]) => message.includes(words))?.[1];
  return hint === undefined ? "" : `; ${hint}`;
}
