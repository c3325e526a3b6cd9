import { assert } from "@std/assert";

/** A certificate for 127.0.0.1 that certifies itself, and its key. */
export async function selfSigned(
  directory: string,
  name = "server",
  authority: "TRUE" | "FALSE" = "FALSE",
) {
  const [cert, key] = [`${directory}/${name}.crt`, `${directory}/${name}.key`];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  // A client does not take an authority's own certificate for a server's.
  const use = ["-addext", `basicConstraints=critical,CA:${authority}`];
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [...request, "-nodes", "-days", "1", ...subject, ...use, "-keyout", key, "-out", cert],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return { cert, key };
}
