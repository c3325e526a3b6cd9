import { assert, assertEquals } from "@std/assert";
import * as z from "zod/mini";
import { PathUri } from "../../src/protocol/path_uri.ts";
import { pathUriSchema } from "../../src/protocol/schema_parts.ts";

const params = z.object({ path: pathUriSchema });

Deno.test("the schema gives a path that is sent as its canonical text", () => {
  const { path } = params.parse({ path: "file://localhost/a b" });
  assert(path instanceof PathUri);
  assertEquals(JSON.stringify({ path }), '{"path":"file:///a%20b"}');
});

Deno.test("the schema's issue names the member and the reason", () => {
  const { error } = params.safeParse({ path: "file:///a?x" });
  assertEquals(error?.issues.map(({ path, message }) => ({ path, message })), [
    { path: ["path"], message: "a path URI must not have a query" },
  ]);
});

Deno.test("the schema refuses what is no text", () => {
  for (const path of [42, null, undefined, {}, ["file:///a"]]) {
    assertEquals(params.safeParse({ path }).success, false);
  }
});
