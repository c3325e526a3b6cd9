import { assertEquals } from "@std/assert";
import { waitForFileSystems } from "../../src/os/local_file_systems.ts";
import { settled } from "../support/patience.ts";

Deno.test("whatever the answer is, it is one", async () => {
  const paths = [
    "/",
    "/etc/hostname",
    "/none/of/it",
    "relative",
    "",
    "/a\0b",
    "/" + "x".repeat(5000),
  ];
  for (let round = 0; round < 3; round++) {
    assertEquals(await settled(waitForFileSystems([...paths, ...paths]), "answers"), undefined);
  }
});

Deno.test("many paths are asked for, more often than there are threads", async () => {
  const paths = Array.from({ length: 5000 }, (_, index) => `/proc/${index}/none`);
  assertEquals(await settled(waitForFileSystems(paths), "answers"), undefined);
});
