import { assertEquals } from "@std/assert";
import { probeSeatbelt } from "../../../src/sandbox/seatbelt/probe_seatbelt.ts";

Deno.test({
  name: "Seatbelt takes every template on macOS",
  ignore: Deno.build.os !== "darwin",
  fn: async () => assertEquals(await probeSeatbelt(), true),
});

Deno.test({
  name: "where there is no sandbox-exec there is no Seatbelt",
  ignore: Deno.build.os === "darwin",
  // The C library stays open as long as the program runs.
  sanitizeResources: false,
  fn: async () => assertEquals(await probeSeatbelt(), false),
});
