import { assertEquals } from "@std/assert";
import { certificateFiles, namedPaths } from "../../../src/sandbox/policy/entries.ts";
import { context, glob, path, special } from "../context.ts";

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

const FACTS = {
  convention: "posix",
  home: "/home/user",
  temporaryDirectory: "/var/tmp/own",
  certificateFiles: ["/etc/proxy.pem"],
} as const;

Deno.test("all that an intent has to do with is named, patterns by what they leave no doubt about", () => {
  const sandbox = context({
    cwd: "/ws",
    workspaceRoots: ["/ws", "/more"],
    entries: [
      path("/data", "read"),
      special("tmpdir", "write"),
      special("project_roots", "write"),
      glob("/secrets/*.key"),
      glob("/deep/er/{a,b}/**"),
      glob("**/.env"),
      glob("/plain/file"),
    ],
  });
  const intent = { sandbox, enforceManagedNetwork: false, managedNetwork: undefined };
  assertEquals(
    new Set(namedPaths(intent, FACTS)),
    new Set([
      ...["/ws", "/more", "/data", "/var/tmp/own"],
      ...["/secrets", "/deep/er", "/plain", "/etc/proxy.pem"],
    ]),
  );
});

Deno.test("without a sandbox only what proxies are trusted by is named", () => {
  const intent = { sandbox: undefined, enforceManagedNetwork: true, managedNetwork: undefined };
  assertEquals(namedPaths(intent, FACTS), ["/etc/proxy.pem"]);
});
