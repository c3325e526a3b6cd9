import { assertEquals, assertThrows } from "@std/assert";
import { checkRequest } from "../../src/http/request.ts";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { methods, type ParamsInput } from "../../src/protocol/methods.ts";

type Input = Partial<ParamsInput<"http/request">>;

function check(input: Input, env: Readonly<Record<string, string>> = {}) {
  const params = { method: "GET", url: "http://localhost/", requestId: "r", ...input };
  return checkRequest(methods["http/request"].params.parse(params), env);
}

function complaint(input: Input, env?: Readonly<Record<string, string>>): string {
  const error = assertThrows(() => check(input, env), RpcError);
  assertEquals(error.code, ErrorCode.InvalidParams);
  return error.message;
}

Deno.test("a method is any token, in upper or lower case", () => {
  for (const method of ["GET", "get", "M-X!", "PROPFIND"]) {
    assertEquals(check({ method }).method, method);
  }
  for (const method of ["", " ", "BAD METHOD", "é", "GET\r\n"]) {
    assertEquals(complaint({ method }), "http/request method is invalid: invalid HTTP method");
  }
});

Deno.test("what is wrong with an address is told", () => {
  const cases: [url: string, reason: string][] = [
    ["nonsense", "relative URL without a base"],
    ["", "relative URL without a base"],
    ["http://", "empty host"],
    ["http:///", "empty host"],
    ["http://user@:80/", "empty host"],
    ["http://127.0.0.1:99999/", "invalid port number"],
    ["http://localhost:x/", "invalid port number"],
    ["http://[::1/", "invalid IPv6 address"],
    ["http://[::g]/", "invalid IPv6 address"],
    ["http://1.2.3.256/", "invalid IPv4 address"],
    ["http://a b/", "invalid international domain name"],
    ["http://%zz/", "invalid international domain name"],
    ["http://xn--a/", "invalid international domain name"],
  ];
  for (const [url, reason] of cases) {
    assertEquals(complaint({ url }), `http/request url is invalid: ${reason}`, url);
  }
});

Deno.test("only http and https are spoken", () => {
  const schemes: [url: string, scheme: string][] = [
    ["ftp://x/", "ftp"],
    ["file:///etc/passwd", "file"],
    ["ws://localhost/", "ws"],
    ["data:text/plain,x", "data"],
    ["JavaScript:1", "javascript"],
  ];
  for (const [url, scheme] of schemes) {
    assertEquals(
      complaint({ url }),
      `http/request only supports http and https URLs, got ${scheme}`,
    );
  }
  assertEquals(check({ url: " HTTP:localhost/a b " }).url.href, "http://localhost/a%20b");
});

Deno.test("a header's name is a token, its value free of control characters", () => {
  for (const name of ["", "bad name", "é", "a:b", "a\n"]) {
    assertEquals(
      complaint({ headers: [{ name, value: "v" }] }),
      "http/request header name is invalid: invalid HTTP header name",
    );
  }
  for (const value of ["a\nb", "a\0b", "a\x7fb", "a\r"]) {
    assertEquals(
      complaint({ headers: [{ name: "X-Y", value }] }),
      "http/request header value is invalid for X-Y: failed to parse header value",
    );
  }
  const headers = [{ name: "X", value: " a\tb é😀 " }, { name: "x", value: "" }];
  assertEquals(check({ headers }).headers, headers);
});

Deno.test("a head that contradicts its body is refused", () => {
  const length = (value: string) => ({ name: "Content-Length", value });
  const coding = (value: string) => ({ name: "Transfer-Encoding", value });
  const bodyBase64 = btoa("hello");
  for (
    const headers of [
      [length("3")],
      [length("50")],
      [length("x")],
      [length("5"), length("5")],
      [length("5"), coding("chunked")],
      [coding("gzip")],
    ]
  ) {
    complaint({ headers, bodyBase64 });
  }
  check({ headers: [length("5")], bodyBase64 });
  check({ headers: [coding("Chunked")], bodyBase64 });
  check({ headers: [length("0")] });
});

Deno.test("a header's value may end with that of a variable", () => {
  const env = { TOKEN: "secret", EMPTY: "", LINES: "a\nb", OPENAI_API_KEY: "k" };
  const authorization = { name: "authorization", value: "Bearer " };
  const [header] = check({ headers: [{ ...authorization, valueEnvVar: "TOKEN" }] }, env).headers;
  assertEquals([header?.name, header?.value], ["authorization", "Bearer secret"]);
  assertEquals(check({ headers: [{ ...authorization, valueEnvVar: null }] }, env).headers, [
    authorization,
  ]);
  const refusals = {
    MISSING: "http/request header x requires executor environment variable MISSING",
    toString: "http/request header x requires executor environment variable toString",
    EMPTY: "http/request header x requires a non-empty executor environment variable EMPTY",
    LINES: "http/request header value is invalid for x: failed to parse header value",
    OPENAI_API_KEY: "http/request header x cannot use executor environment variable OPENAI_API_KEY",
    openai_api_key: "http/request header x cannot use executor environment variable openai_api_key",
  };
  for (const [valueEnvVar, message] of Object.entries(refusals)) {
    assertEquals(complaint({ headers: [{ name: "x", value: "", valueEnvVar }] }, env), message);
  }
});
