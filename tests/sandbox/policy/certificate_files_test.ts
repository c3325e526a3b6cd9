import { assertEquals } from "@std/assert";
import { certificateFiles } from "../../../src/sandbox/policy/certificate_files.ts";

Deno.test("files of certificates are those that the usual variables name absolutely", () => {
  const env = {
    SSL_CERT_FILE: "/etc/proxy/ca.pem",
    NODE_EXTRA_CA_CERTS: "/etc/proxy/ca.pem",
    CURL_CA_BUNDLE: "/etc/proxy/curl.pem",
    REQUESTS_CA_BUNDLE: "relative.pem",
    PIP_CERT: "",
    GIT_SSL_CAINFO: "/a\0b",
    SECRET_FILE: "/etc/shadow",
  };
  assertEquals(certificateFiles(env).sort(), ["/etc/proxy/ca.pem", "/etc/proxy/curl.pem"]);
  assertEquals(certificateFiles({}), []);
});
