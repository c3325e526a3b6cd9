import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsKeyPair } from "../transport/websocket_server.ts";
import { type NamedFile, readText, warnIfReadable } from "./secret_file.ts";
import { UsageError } from "./usage_error.ts";

/** The files of a certificate and its key. */
export interface TlsOptions {
  readonly cert: NamedFile;
  readonly key: NamedFile;
}

/**
 * Reads a certificate and its key, both in PEM format, and checks that they match and have not expired.
 *
 * @throws {UsageError} naming the setting whose file is wrong
 */
export async function readTlsFiles({ cert, key }: TlsOptions): Promise<TlsKeyPair> {
  const pair = {
    cert: await readText(cert),
    key: await readText(key),
  };
  const certificate = certificateIn(pair.cert, cert);
  if (!certificate.checkPrivateKey(keyIn(pair.key, key))) {
    throw new UsageError(`${key.setting}: the key in ${key.path} is not that of ${cert.path}`);
  }
  if (Date.parse(certificate.validTo) <= Date.now()) {
    throw new UsageError(
      `${cert.setting}: the certificate in ${cert.path} expired on ${certificate.validTo}`,
    );
  }
  warnIfReadable(key);
  return pair;
}

function certificateIn(pem: string, { setting, path }: NamedFile): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new UsageError(`${setting}: ${path} holds no certificate in PEM format`);
  }
}

function keyIn(pem: string, { setting, path }: NamedFile): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new UsageError(`${setting}: ${path} holds no unencrypted private key in PEM format`);
  }
}
