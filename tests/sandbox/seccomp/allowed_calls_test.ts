import { assertEquals } from "@std/assert";
import { shippedSeccompProfile } from "../../../src/sandbox/seccomp/profile.ts";
import { allowedCalls } from "./allowed_calls.ts";

const { newestKnown, sections, unassigned } = shippedSeccompProfile();
const always = sections.always.filter((rule) =>
  rule.when === undefined && rule.unless === undefined
);
const numbers = Array.from({ length: newestKnown + 1 }, (_, number) => number);

for (const architecture of ["x86_64", "aarch64"] as const) {
  Deno.test(`every system call is denied or listed with a reason, on ${architecture}`, () => {
    const listed = allowedCalls().map((call) => call[architecture]).filter((n) => n !== null);
    assertEquals(new Set(listed).size, listed.length);
    const denied = always.map((rule) => rule[architecture]);
    const isAssigned = (number: number) =>
      !unassigned[architecture].some(([first, last]) => first <= number && number <= last);
    assertEquals(
      listed.toSorted((a, b) => a - b),
      numbers.filter((number) => isAssigned(number) && !denied.includes(number)),
    );
  });
}

Deno.test("what is let through is called what the list of denials calls it", () => {
  const names = new Map(allowedCalls().map((entry) => [entry.call, entry]));
  for (const { call, x86_64, aarch64 } of Object.values(sections).flat()) {
    const { x86_64: x86 = x86_64, aarch64: arm = aarch64 } = names.get(call) ?? {};
    assertEquals([x86, arm], [x86_64, aarch64], call);
  }
});
