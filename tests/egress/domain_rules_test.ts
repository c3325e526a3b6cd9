import { assertEquals, assertThrows } from "@std/assert";
import {
  DomainPatternError,
  type DomainPermission,
  DomainRules,
} from "../../src/egress/domain_rules.ts";
import { parseHost } from "../../src/egress/host.ts";

function decisions(rules: Record<string, DomainPermission>, hosts: readonly string[]) {
  const domainRules = new DomainRules(Object.entries(rules));
  return hosts.map((host) => domainRules.decide(parseHost(host)));
}

Deno.test("a name is that host alone", () => {
  const hosts = [
    "example.com",
    "EXAMPLE.com.",
    "a.example.com",
    "xexample.com",
    "example.com.evil",
  ];
  assertEquals(decisions({ "Example.com.": "allow" }, hosts), [
    "allow",
    "allow",
    "undecided",
    "undecided",
    "undecided",
  ]);
});

Deno.test("one star is what is below, two are the name too", () => {
  const hosts = ["example.com", "a.example.com", "b.a.example.com", "aexample.com"];
  assertEquals(decisions({ "*.example.com": "allow" }, hosts), [
    "undecided",
    "allow",
    "allow",
    "undecided",
  ]);
  assertEquals(decisions({ "**.example.com": "allow" }, hosts), [
    "allow",
    "allow",
    "allow",
    "undecided",
  ]);
});

Deno.test("a denial goes before whatever allows, wherever it stands", () => {
  const rules = { "bad.example.com": "deny", "*": "allow", "**.example.com": "allow" } as const;
  assertEquals(decisions(rules, ["bad.example.com", "x.bad.example.com", "other.example"]), [
    "deny",
    "allow",
    "allow",
  ]);
  assertEquals(decisions({ "*": "deny", "example.com": "allow" }, ["example.com"]), ["deny"]);
});

Deno.test("none says nothing, and no rule decides nothing", () => {
  assertEquals(decisions({ "example.com": "none" }, ["example.com"]), ["undecided"]);
  assertEquals(decisions({}, ["example.com"]), ["undecided"]);
});

Deno.test("an address is matched in every spelling, and is below nothing", () => {
  const hosts = ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "127.0.0.2", "[::1]"];
  assertEquals(decisions({ "127.0.0.1": "allow" }, hosts), [
    "allow",
    "allow",
    "allow",
    "undecided",
    "undecided",
  ]);
  assertEquals(decisions({ "[::1]": "allow" }, ["::1"]), ["allow"]);
});

Deno.test("names beyond ASCII are compared as they go on the wire", () => {
  const hosts = ["xn--bcher-kva.example", "BÜCHER.example", "bucher.example"];
  assertEquals(decisions({ "bücher.example": "allow" }, hosts), ["allow", "allow", "undecided"]);
});

Deno.test("a pattern that cannot be understood is refused", () => {
  const patterns = [
    ...[
      "",
      "http://a.example",
      "a.example/x",
      "a.example:443",
      "**",
      "*.",
      "**.",
      "a.*",
      "*a.example",
    ],
    ...[
      "***.a",
      "*.*.a",
      "a b",
      "*.127.0.0.1",
      "xn--zzzz-",
      "a..b",
      "[fe80::1%lo]",
      "?.a",
      "10.0.0.0/8",
    ],
  ];
  for (const pattern of patterns) {
    assertThrows(() => new DomainRules([[pattern, "allow"]]), DomainPatternError);
  }
});
