import { assertEquals } from "@std/assert";
import {
  FileRight,
  governedBy,
  RIGHTS_OF_A_FILE,
  rightsOf,
} from "../../../src/sandbox/linux/landlock_rights.ts";

/** Bits of linux/landlock.h, as of each version. */
const FILES_SINCE_3 = 0x7fff;
const FILES_SINCE_5 = 0xffff;

for (
  const [version, closed, open] of [
    [3, { files: FILES_SINCE_3 }, { files: FILES_SINCE_3 }],
    [4, { files: FILES_SINCE_3, network: 3 }, { files: FILES_SINCE_3, network: 0 }],
    [5, { files: FILES_SINCE_5, network: 3 }, { files: FILES_SINCE_5, network: 0 }],
    [6, { files: FILES_SINCE_5, network: 3, scopes: 3 }, {
      files: FILES_SINCE_5,
      network: 0,
      scopes: 2,
    }],
    [99, { files: FILES_SINCE_5, network: 3, scopes: 3 }, {
      files: FILES_SINCE_5,
      network: 0,
      scopes: 2,
    }],
  ] as const
) {
  Deno.test(`Landlock ${version} governs what it knows`, () => {
    assertEquals(governedBy(version, false), closed);
    assertEquals(governedBy(version, true), open);
  });
}

Deno.test("rules ask for nothing that is not governed", () => {
  for (const version of [3, 4, 5, 6, 7]) {
    const { files } = governedBy(version, false);
    for (const access of ["read", "write"] as const) {
      assertEquals(rightsOf(access, version) & ~files, 0);
    }
  }
});

Deno.test("to read is to execute, to open and to list", () => {
  assertEquals(rightsOf("read", 7), 0b1101);
});

Deno.test("to write is everything but to make devices", () => {
  const withheld = FILES_SINCE_5 & ~rightsOf("write", 7);
  assertEquals(withheld, FileRight.MakeCharacterDevice | FileRight.MakeBlockDevice);
});

Deno.test("a file has no rights that only directories have", () => {
  assertEquals(RIGHTS_OF_A_FILE, 0b1100_0000_0000_0111);
});
