import { assertEquals } from "@std/assert";
import { namedPaths } from "../../../src/sandbox/policy/named_paths.ts";
import { context, glob, path, special } from "../context.ts";

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
