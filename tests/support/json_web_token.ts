/** A JSON Web Token made by hand: what a library would refuse to make too. */
export async function jsonWebToken(
  secret: string,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = { alg: "HS256", typ: "JWT" },
): Promise<string> {
  const signed = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(secret),
    { name: "HMAC", hash: header.alg === "HS512" ? "SHA-512" : "SHA-256" },
    false,
    ["sign"],
  );
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(signed));
  const options = { alphabet: "base64url", omitPadding: true } as const;
  return `${signed}.${new Uint8Array(signature).toBase64(options)}`;
}

/** The token without its signature. */
export function unsigned(token: string): string {
  return token.slice(0, token.lastIndexOf(".") + 1);
}

/** So many seconds from now, as claims have times. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

function base64url(text: string): string {
  return new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}
