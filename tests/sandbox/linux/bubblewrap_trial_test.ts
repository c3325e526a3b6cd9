import { assertEquals, assertStringIncludes } from "@std/assert";
import { diagnoseBubblewrap } from "../../../src/sandbox/linux/bubblewrap_trial.ts";

const OPEN = {
  appArmorRestricted: undefined,
  unprivilegedAllowed: undefined,
  maxUserNamespaces: 100,
};

for (
  const [settings, fix] of [
    [{ ...OPEN, maxUserNamespaces: 0 }, "user.max_user_namespaces"],
    [{ ...OPEN, unprivilegedAllowed: false }, "kernel.unprivileged_userns_clone=1"],
    [{ ...OPEN, unprivilegedAllowed: true, appArmorRestricted: true }, "AppArmor profile"],
    [{ ...OPEN, appArmorRestricted: false }, "--security-opt"],
  ] as const
) {
  Deno.test(`what helps is about ${fix}`, () => {
    assertStringIncludes(diagnoseBubblewrap("bwrap: no", settings).fix, fix);
  });
}

Deno.test("bubblewrap's own words are the reason", () => {
  assertEquals(
    diagnoseBubblewrap("bwrap: Creating new namespace failed\n", OPEN).reason,
    "bubblewrap fails: Creating new namespace failed",
  );
  assertEquals(diagnoseBubblewrap("", OPEN).reason, "bubblewrap cannot be run");
});
