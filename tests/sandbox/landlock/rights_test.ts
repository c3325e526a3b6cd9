import { assertEquals } from "@std/assert";
import { FileRight, governed, pathRule } from "../../../src/sandbox/landlock/rights.ts";

/** All bits of linux/landlock.h as of version 6. */
const FILES = 0xffff;

Deno.test("Landlock governs all of files, and signals, and the network unless it is open", () => {
  assertEquals(governed(false, 7), { files: FILES, network: 3, scopes: 3 });
  assertEquals(governed(true, 6), { files: FILES, network: 0, scopes: 2 });
});

Deno.test("an older Landlock is asked for what it knows: more would be an error", () => {
  assertEquals(governed(false, 5), { files: FILES, network: 3, scopes: 0 });
  assertEquals(governed(false, 4), { files: 0x7fff, network: 3, scopes: 0 });
  assertEquals(governed(false, 3), { files: 0x7fff, network: 0, scopes: 0 });
  assertEquals(governed(false, 2), { files: 0x3fff, network: 0, scopes: 0 });
  assertEquals(pathRule({ path: "/", access: "write" }, 2).rights & ~0x3fff, 0);
});

Deno.test("to read is to execute, to open and to list", () => {
  assertEquals(pathRule({ path: "/", access: "read" }, 7).rights, 0b1101);
  assertEquals(pathRule({ path: "/", access: "list" }, 7).rights, FileRight.ReadDirectory);
});

Deno.test("to write is everything but to make devices", () => {
  const withheld = FILES & ~pathRule({ path: "/", access: "write" }, 7).rights;
  assertEquals(withheld, FileRight.MakeCharacterDevice | FileRight.MakeBlockDevice);
});

Deno.test("a file has no rights that only directories have", () => {
  assertEquals(pathRule({ path: "/f", access: "write" }, 7).fileRights, 0b1100_0000_0000_0111);
  assertEquals(pathRule({ path: "/f", access: "read" }, 7).fileRights, 0b101);
});
