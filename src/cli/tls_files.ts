import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsKeyPair } from "../transport/websocket_server.ts";
import { readText, warnIfReadable } from "./secret_file.ts";
import { UsageError } from "./usage_error.ts";

/** Where the certificate and its key are. */
export interface TlsOptions {
  readonly certPath: string;
  readonly keyPath: string;
}

/**
 * Reads a certificate and its key, both in PEM format, and sees whether clients could accept them.
 *
 * @throws {UsageError} naming the option whose file is wrong
 */
export async function readTlsFiles({ certPath, keyPath }: TlsOptions): Promise<TlsKeyPair> {
  const pair = {
    cert: await readText("--tls-cert", certPath),
    key: await readText("--tls-key", keyPath),
  };
  const certificate = certificateIn(pair.cert, certPath);
  if (!certificate.checkPrivateKey(keyIn(pair.key, keyPath))) {
    throw new UsageError(`--tls-key: the key in ${keyPath} is not that of ${certPath}`);
  }
  if (Date.parse(certificate.validTo) <= Date.now()) {
    throw new UsageError(`--tls-cert: the certificate expired on ${certificate.validTo}`);
  }
  warnIfReadable("--tls-key", keyPath);
  return pair;
}

function certificateIn(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new UsageError(`--tls-cert: ${path} holds no certificate in PEM format`);
  }
}

function keyIn(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new UsageError(`--tls-key: ${path} holds no unencrypted private key in PEM format`);
  }
}
