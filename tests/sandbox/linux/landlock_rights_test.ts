import { assertEquals } from "@std/assert";
import {
  FileRight,
  governed,
  RIGHTS_OF_A_FILE,
  rightsOf,
} from "../../../src/sandbox/landlock/rights.ts";

/** All bits of linux/landlock.h as of version 6. */
const FILES = 0xffff;

Deno.test("Landlock governs all of files, and signals, and the network unless it is open", () => {
  assertEquals(governed(false), { files: FILES, network: 3, scopes: 3 });
  assertEquals(governed(true), { files: FILES, network: 0, scopes: 2 });
});

Deno.test("to read is to execute, to open and to list", () => {
  assertEquals(rightsOf("read"), 0b1101);
});

Deno.test("to write is everything but to make devices", () => {
  const withheld = FILES & ~rightsOf("write");
  assertEquals(withheld, FileRight.MakeCharacterDevice | FileRight.MakeBlockDevice);
});

Deno.test("a file has no rights that only directories have", () => {
  assertEquals(RIGHTS_OF_A_FILE, 0b1100_0000_0000_0111);
});
