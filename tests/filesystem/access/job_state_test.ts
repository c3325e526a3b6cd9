import { assertEquals } from "@std/assert";
import { JobState } from "../../../src/filesystem/access/job.ts";

Deno.test("a job that has been begun cannot be withdrawn, nor the other way round", () => {
  const begun = new JobState();
  assertEquals(new JobState(begun.shared).begin(), true);
  assertEquals([begun.withdraw(), begun.begin()], [false, false]);
  const withdrawn = new JobState();
  assertEquals(withdrawn.withdraw(), true);
  assertEquals(new JobState(withdrawn.shared).begin(), false);
});
