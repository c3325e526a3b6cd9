import { assertEquals, assertThrows } from "@std/assert";
import { isJobName, JobError, type JobHandle, JobStore } from "../../src/cli/job_store.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function handle(name: string): JobHandle {
  return {
    name,
    executor: { kind: "url", url: "ws://127.0.0.1:1" },
    sessionId: "s",
    processId: "job",
    command: ["make", "all"],
    tty: false,
    startedAt: 1,
  };
}

Deno.test("a job is found under its name until it is forgotten, and by nobody else", () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/state/jobs`;
  const store = new JobStore(path);
  assertEquals(store.names(), []);
  store.add(handle("b"));
  store.add(handle("a.1"));
  assertEquals([store.names(), store.get("b")], [["a.1", "b"], handle("b")]);
  for (const file of [path, `${path}/b.json`]) {
    assertEquals((Deno.statSync(file).mode ?? 0) & 0o077, 0);
  }
  assertThrows(() => store.add({ ...handle("b"), sessionId: "other" }), JobError, "already");
  assertEquals(store.get("b"), handle("b"));
  store.remove("b");
  assertThrows(() => store.get("b"), JobError, "there is no job b");
  assertThrows(() => store.remove("b"), JobError, "there is no job b");
  Deno.chmodSync(path, 0o750);
  assertThrows(() => store.names(), JobError, "use chmod 700");
});

Deno.test("a handle that cannot be written leaves nothing", () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("state", "no directory");
  assertThrows(
    () => new JobStore(`${path}/jobs`).add(handle("a")),
    JobError,
    "cannot be remembered",
  );
  assertEquals(Deno.readTextFileSync(path), "no directory");
});

/** One that another program is always ahead of. */
class LateStore extends JobStore {
  override names(): string[] {
    return [];
  }
}

Deno.test("names that are not given come from the program's, with a number that is free", () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/jobs`;
  const store = new JobStore(path);
  const named = (program: string, by = store) => {
    const { name: _, ...job } = handle("");
    const added = by.addUnnamed({ ...job, command: [program] });
    assertEquals(store.get(added.name), added);
    return added.name;
  };
  assertEquals(named("/usr/bin/make"), "make-1");
  assertEquals(named("make"), "make-2");
  assertEquals(named("make", new LateStore(path)), "make-3");
  assertEquals(
    ["./.run.sh", "C:\\a\\b.exe", "/", "ü", "x".repeat(99)].map((program) => named(program)),
    [
      "run.sh-1",
      "b.exe-1",
      "job-1",
      "job-2",
      `${"x".repeat(40)}-1`,
    ],
  );
});

Deno.test("what would lead out of the directory, or be an option, is no name", () => {
  for (const name of ["", "../a", "-a", "a b", ".a", "a/b", "a\n", "x".repeat(65)]) {
    assertEquals(isJobName(name), false, name);
  }
  for (const name of ["a", "7", "make-1.x_Y", "x".repeat(64)]) assertEquals(isJobName(name), true);
});
