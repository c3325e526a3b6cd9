import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  parseSeccompProfile,
  shippedSeccompProfile,
} from "../../../src/sandbox/seccomp/profile.ts";

const shippedRules = Object.values(shippedSeccompProfile().sections).flat();

function profileText(rule: string): string {
  return `{
    "newestKnown": 500,
    "unassigned": { "x86_64": [[7, 9]], "aarch64": [] },
    "constants": { "FIVE": 5, "HIGH": "0x80000000" },
    "sections": {
      "always": [${rule}],
      "enabled": [], "notEnabled": [], "restricted": [], "proxied": [], "privateLoopback": [],
      "noLocalBinding": [],
      "sharedHost": [], "fixedMetadata": [], "fixedFlags": [], "supervised": [], "supervisedSignals": [],
    },
  }`;
}

Deno.test("parseSeccompProfile: resolves constants and fills in what is usual", () => {
  const { newestKnown, sections } = parseSeccompProfile(profileText(`
    // a comment
    {
      "call": "a", "x86_64": 1, "aarch64": null,
      "when": [
        { "argument": 0, "oneOf": ["FIVE", "HIGH"] },
        { "argument": 1, "mask": "FIVE", "oneOf": ["FIVE"] },
        { "argument": 2, "anyBitOf": "HIGH" },
        { "argument": 5, "notNull": true },
      ],
    },
    { "call": "b", "x86_64": 2, "aarch64": 3, "errno": "ENOSYS" },
  `));
  assertEquals(newestKnown, 500);
  assertEquals(sections.always, [
    {
      call: "a",
      x86_64: 1,
      aarch64: null,
      errno: "EPERM",
      when: [
        { argument: 0, mask: 0xffff_ffff, oneOf: [5, 0x8000_0000] },
        { argument: 1, mask: 5, oneOf: [5] },
        { argument: 2, anyBitOf: 0x8000_0000 },
        { argument: 5, notNull: true },
      ],
    },
    { call: "b", x86_64: 2, aarch64: 3, errno: "ENOSYS" },
  ]);
});

Deno.test("parseSeccompProfile: refuses what it would otherwise leave open", () => {
  const refused = {
    "no number for an architecture": `{ "call": "a", "x86_64": 1 }`,
    "unknown constant": `{ "call": "a", "x86_64": 1, "aarch64": 1,
      "when": [{ "argument": 0, "oneOf": ["SIX"] }] }`,
    "misspelt key": `{ "call": "a", "x86_64": 1, "aarch64": 1, "wehn": [] }`,
    "no such argument": `{ "call": "a", "x86_64": 1, "aarch64": 1,
      "when": [{ "argument": 6, "notNull": true }] }`,
    "two tests in one condition": `{ "call": "a", "x86_64": 1, "aarch64": 1,
      "when": [{ "argument": 0, "notNull": true, "anyBitOf": "FIVE" }] }`,
    "no conditions": `{ "call": "a", "x86_64": 1, "aarch64": 1, "when": [] }`,
  };
  for (const rule of Object.values(refused)) {
    assertThrows(() => parseSeccompProfile(profileText(rule)), Error);
  }
  assertThrows(() => parseSeccompProfile("{"), SyntaxError);
});

Deno.test("shippedSeccompProfile: one call has one pair of numbers, and the other way round", () => {
  const numbers = new Map<string, string>();
  for (const rule of shippedRules) {
    const pair = `${rule.x86_64} ${rule.aarch64}`;
    assertEquals(numbers.get(rule.call) ?? pair, pair, rule.call);
    numbers.set(rule.call, pair);
  }
  for (const architecture of ["x86_64", "aarch64"] as const) {
    const calls = new Map<number, string>();
    for (const rule of shippedRules) {
      const number = rule[architecture];
      if (number === null) continue;
      assertEquals(calls.get(number) ?? rule.call, rule.call, `${architecture} ${number}`);
      assert(number <= shippedSeccompProfile().newestKnown, rule.call);
      calls.set(number, rule.call);
    }
  }
});

/** The kernel's own headers, where this machine has them. */
const headers = {
  x86_64: ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"],
  aarch64: ["/usr/include/asm-generic/unistd.h"],
};

/** What differs between machines of 32 and 64 bits has a name of its own in the header of all. */
const NUMBER = /^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm;

for (const architecture of ["x86_64", "aarch64"] as const) {
  const header = headers[architecture].find(isFile);
  const missing = header === undefined ? " (no kernel headers here)" : "";
  Deno.test({
    name: `shippedSeccompProfile: ${architecture} numbers are the kernel's${missing}`,
    ignore: header === undefined,
    fn() {
      const known = new Map<string, number>();
      const text = Deno.readTextFileSync(header ?? "");
      for (const [, name, number] of text.matchAll(NUMBER)) {
        if (name !== undefined && name !== "syscalls") known.set(name, Number(number));
      }
      const newest = Math.max(...known.values());
      for (const rule of shippedRules) {
        const number = rule[architecture];
        // A header older than a call does not have it.
        if (number !== null && number > newest) continue;
        assertEquals(number, known.get(rule.call) ?? null, rule.call);
      }
    },
  });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
