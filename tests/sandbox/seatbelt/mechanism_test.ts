import { assertEquals } from "@std/assert";
import { Seatbelt } from "../../../src/sandbox/seatbelt/mechanism.ts";

Deno.test({
  name: "Seatbelt takes every template on macOS",
  ignore: Deno.build.os !== "darwin",
  fn: async () => assertEquals(await new Seatbelt().probe(), true),
});

Deno.test({
  name: "where there is no sandbox-exec there is no Seatbelt",
  ignore: Deno.build.os === "darwin",
  // The C library stays open as long as the program runs.
  sanitizeResources: false,
  fn: async () => assertEquals(await new Seatbelt().probe(), false),
});
