import { assertEquals } from "@std/assert";
import { isForeignLink } from "../../../src/filesystem/access/resolve_beneath.ts";

const [ME, OWNER, OTHER] = [1000, 0, 65534];

Deno.test("a link in a directory for everybody is a trap unless it is mine or the owner's", () => {
  const isTrap = (mode: number, uid: number) =>
    isForeignLink({ mode, uid: OWNER }, { mode: 0o777, uid }, ME);
  assertEquals([ME, OWNER, OTHER].map((uid) => isTrap(0o41777, uid)), [false, false, true]);
  for (const mode of [0o40777, 0o41775, 0o40755]) assertEquals(isTrap(mode, OTHER), false);
});
