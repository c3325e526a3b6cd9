import { assertEquals, assertRejects } from "@std/assert";
import { Turns } from "../../src/server/turns.ts";

/** Work that runs until it is told to end. */
class Job {
  started = false;
  readonly #end = Promise.withResolvers<string>();

  readonly work = (): Promise<string> => {
    this.started = true;
    return this.#end.promise;
  };

  end(): void {
    this.#end.resolve("done");
  }
}

function jobs(count: number): Job[] {
  return Array.from({ length: count }, () => new Job());
}

/** Lets everything that can run do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(() => setTimeout(resolve)));
}

function started(all: readonly Job[]): boolean[] {
  return all.map((job) => job.started);
}

Deno.test("so many run at a time, in order, and the next starts when one ends", async () => {
  const turns = new Turns(2, () => false);
  const all = jobs(4);
  const results = all.map((job) => turns.run(job.work));
  await settle();
  assertEquals(started(all), [true, true, false, false]);
  all[1]?.end();
  await settle();
  assertEquals(started(all), [true, true, true, false]);
  all.forEach((job) => job.end());
  assertEquals(await Promise.all(results), ["done", "done", "done", "done"]);
  await settle();
});

Deno.test("none starts while held, and all that may do when told to proceed", async () => {
  let held = true;
  const turns = new Turns(2, () => held);
  const all = jobs(3);
  const results = all.map((job) => turns.run(job.work));
  await settle();
  assertEquals(started(all), [false, false, false]);
  held = false;
  turns.proceed();
  await settle();
  assertEquals(started(all), [true, true, false]);
  all.forEach((job) => job.end());
  await Promise.all(results);
  await settle();
});

Deno.test("work that fails gives its place to the next", async () => {
  const turns = new Turns(1, () => false);
  const failed = turns.run(() => Promise.reject(new Error("no"))).catch((error) => error.message);
  const next = new Job();
  const result = turns.run(next.work);
  next.end();
  assertEquals([await failed, await result], ["no", "done"]);
  await settle();
});

Deno.test("a turn that has not come can be given up, and the next takes its place", async () => {
  const turns = new Turns(1, () => false);
  const all = jobs(3);
  const controller = new AbortController();
  const signals = [undefined, controller.signal, undefined];
  const results = all.map((job, index) => turns.run(job.work, signals[index]));
  await settle();
  controller.abort();
  assertEquals((await Promise.allSettled([results[1]])).map(({ status }) => status), ["rejected"]);
  await assertRejects(() => turns.run(new Job().work, controller.signal), DOMException);
  all.forEach((job) => job.end());
  assertEquals(await Promise.all([results[0], results[2]]), ["done", "done"]);
  assertEquals(started(all), [true, false, true]);
  await settle();
});
