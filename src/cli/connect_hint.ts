import type { ConnectionError } from "../client/mod.ts";

/** What can be done about an executor that cannot be reached, to follow on what is wrong. */
export function connectHint(
  { obstacle }: ConnectionError,
  { tokenGiven }: { readonly tokenGiven: boolean },
): string {
  switch (obstacle) {
    case "token":
      return tokenGiven ? "" : "; give it with --token-file";
    case "tls":
      return "; SSL_CERT_FILE names a file of certificates to trust besides the usual ones, one " +
        "that signs itself must be made with basicConstraints=CA:FALSE, and an executor without " +
        "a certificate has ws:// instead of wss://";
    case "notHttp":
      return "; it may be encrypted: wss:// instead of ws://";
    case undefined:
      return "";
  }
}
