import { assertEquals, assertThrows } from "@std/assert";
import { HttpFailure } from "../../src/http/request.ts";
import { basicAuthorization, proxyFor } from "../../src/http/proxy.ts";

function proxy(url: string, env: Record<string, string>): string | undefined {
  const found = proxyFor(new URL(url), env);
  return found === undefined ? undefined : `${found.host}:${found.port}`;
}

Deno.test("the environment names a proxy for each scheme", () => {
  const env = { HTTP_PROXY: "http://one:1", https_proxy: "two:2", ALL_PROXY: "http://all" };
  assertEquals(proxy("http://host/", env), "one:1");
  assertEquals(proxy("https://host/", env), "two:2");
  assertEquals(proxy("https://host/", { ALL_PROXY: env.ALL_PROXY }), "all:80");
  assertEquals(proxy("http://host/", { HTTPS_PROXY: "two:2" }), undefined);
  assertEquals(proxy("http://host/", { HTTP_PROXY: "" }), undefined);
  assertEquals(proxy("http://host/", {}), undefined);
});

Deno.test("NO_PROXY takes hosts out", () => {
  const spared = (url: string, list: string) =>
    proxy(url, { HTTP_PROXY: "http://p:1", NO_PROXY: list }) === undefined;
  const cases: [url: string, list: string, spared: boolean][] = [
    ["http://localhost:8080/", "localhost", true],
    ["http://localhost/", "other, LOCALHOST", true],
    ["http://a.example.com/", "example.com", true],
    ["http://a.example.com/", ".example.com", true],
    ["http://a.example.com/", "*.example.com", true],
    ["http://badexample.com/", "example.com", false],
    ["http://anything/", "*", true],
    ["http://anything/", "", false],
    ["http://anything/", ", ,", false],
    ["http://127.0.0.1/", "127.0.0.1", true],
    ["http://10.1.2.3/", "10.0.0.0/8", true],
    ["http://11.1.2.3/", "10.0.0.0/8", false],
    ["http://11.1.2.3/", "0.0.0.0/0", true],
    ["http://11.1.2.3/", "10.0.0.0/x", false],
    ["http://[::1]/", "[::1]", true],
    ["http://[::1]/", "::1", true],
  ];
  for (const [url, list, expected] of cases) {
    assertEquals(spared(url, list), expected, `${url} with ${list}`);
  }
});

Deno.test("a proxy of another kind is not gone around", () => {
  for (const HTTP_PROXY of ["socks5://p:1", "https://p:1", "http://"]) {
    assertThrows(() => proxyFor(new URL("http://host/"), { HTTP_PROXY }), HttpFailure);
  }
});

Deno.test("name and password in an address become an authorization", () => {
  assertEquals(basicAuthorization(new URL("http://host/")), undefined);
  assertEquals(
    basicAuthorization(new URL("http://us%40er:pa%3Ass@host/")),
    `Basic ${btoa("us@er:pa:ss")}`,
  );
  assertEquals(basicAuthorization(new URL("http://100%@host/")), `Basic ${btoa("100%:")}`);
});
