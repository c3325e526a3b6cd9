import { assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../src/config/origin.ts";
import { systemFile } from "./support.ts";

Deno.test("a file is JSON with comments, and every value knows its line", async () => {
  const layer = await systemFile(`{
    // where
    "listen": "ws://127.0.0.1:80", "grace": 0.5,
    /* who
       and how */
    "insecureNoAuth": false,
    "maxSessions": 12,
  }`);
  const found = [...layer].map(([name, { value, origin }]) => [name, value, origin]);
  const at = (line: number) => ({ layer: "system file", file: "/etc/remex/config.jsonc", line });
  assertEquals(found, [
    ["listen", "ws://127.0.0.1:80", at(3)],
    ["grace", 0.5, at(3)],
    ["insecureNoAuth", false, at(6)],
    ["maxSessions", 12, at(7)],
  ]);
});

Deno.test("paths are relative to their file", async () => {
  const layer = await systemFile(
    `{ "wsTokenFile": "tokens/a", "tlsCert": "/c", "tlsKey": "../k" }`,
  );
  assertEquals([...layer.values()].map(({ value }) => value), [
    "/etc/remex/tokens/a",
    "/c",
    "/etc/k",
  ]);
});

Deno.test("an empty object says nothing", async () => {
  assertEquals((await systemFile("{}")).size, 0);
  assertEquals((await systemFile("// nothing\n{ }\n")).size, 0);
});

Deno.test("what is wrong is named with its line", async () => {
  const where = "/etc/remex/config.jsonc";
  const cases: [text: string, message: string][] = [
    [`{\n\n"listne": 1}`, `${where}:3: unknown key \`listne\`; was \`listen\` meant?`],
    [`{"token": "geheim"}`, `${where}:1: unknown key \`token\`; \`remex config --help\` lists`],
    [
      `{\n"maxSessions": "7"}`,
      `${where}:2: \`maxSessions\` must be a number from 1 to 1000000, not "7"`,
    ],
    [`{"maxSessions": 1.5}`, "not 1.5"],
    [`{"maxSessions": 0}`, "not 0"],
    [`{"maxSessions": null}`, "not null"],
    [`{"listen": {"a": [1]}}`, 'must be ws://HOST:PORT, unix:PATH or stdio, not {"a":[1]}'],
    [`{"exitOnStdinClose": "true"}`, 'must be true or false, not "true"'],
    [`{"wsTokenSha256": "geheim"}`, "`sha256sum FILE` prints it"],
    [`{"grace": 1,\n"grace": 2}`, `${where}:2: \`grace\` was given already in line 1`],
    [`{"__proto__": {}}`, "unknown key `__proto__`"],
    [`{"toString": 1}`, "unknown key `toString`"],
    [`{"grace": 1\n"log": "warn"}`, `${where}:2: this is not JSON with comments: `],
    [`{\n"grace": 1`, `${where}:`],
    ["", `${where}:1: this is not JSON with comments`],
    ["grace = 1", `${where}:1: this is not JSON with comments`],
    [`\n["grace"]`, `${where}:2: an object is expected`],
    ["7", `${where}:1: an object is expected`],
  ];
  for (const [text, message] of cases) {
    const error = await assertRejects(() => systemFile(text), ConfigurationError, message);
    assertEquals(error.message.includes("\n"), false, error.message);
    if (text.includes("geheim")) assertEquals(error.message.includes("geheim"), false);
  }
});
