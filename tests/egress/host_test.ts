import { assertEquals, assertThrows } from "@std/assert";
import { HostError, parseHost } from "../../src/egress/host.ts";

Deno.test("a host has one form, however it is spelled", () => {
  const spellings: [given: string, name: string][] = [
    ["Example.COM", "example.com"],
    ["example.com.", "example.com"],
    ["Bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example.", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["ｅｘａｍｐｌｅ.com", "example.com"],
    ["example。com", "example.com"],
    ["_srv.example", "_srv.example"],
    ["127.0.0.1", "127.0.0.1"],
    ["0x7f.1", "127.0.0.1"],
    ["2130706433", "127.0.0.1"],
    ["0177.0.0.1", "127.0.0.1"],
    ["127.1", "127.0.0.1"],
    ["127.0.0.1.", "127.0.0.1"],
    ["１２７.0.0.1", "127.0.0.1"],
    ["[::1]", "::1"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["[::ffff:127.0.0.1]", "127.0.0.1"],
    ["::ffff:7f00:1", "127.0.0.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ];
  assertEquals(
    spellings.map(([given]) => [given, parseHost(given).name]),
    spellings,
  );
});

Deno.test("an address is known as one, a name is not", () => {
  assertEquals(parseHost("0x7f.1").address?.toString(), "127.0.0.1");
  assertEquals(parseHost("example.com").address, undefined);
});

Deno.test("what is no host is refused", () => {
  const texts = [
    ...[
      "",
      ".",
      "..",
      "a..b",
      ".a",
      "a b",
      "a/b",
      "http://a",
      "a:1",
      "a@b",
      "a%00",
      "a\0b",
      "a\r\nb",
    ],
    ...["-a.example", "a-.example", "*.example", "a*b", "xn--zzzz-", "é".repeat(300), "1.2.3.4.5"],
    ...["256.1.1.1", "0x", "a.0x", "99999999999", "[::1", "[::1%lo]", "fe80::1%eth0", "[]", "[a]"],
    ...["a".repeat(64), `${"a.".repeat(127)}aa`, "a\u202eb", "\u00ad"],
  ];
  for (const text of texts) assertThrows(() => parseHost(text), HostError);
});
