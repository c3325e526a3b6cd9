import { assertEquals, assertRejects } from "@std/assert";
import { InOrder } from "../../src/filesystem/in_order.ts";
import { PathChanges } from "../../src/filesystem/path_changes.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";

/** Work that is done when it is told to be. */
class Job {
  begun = false;
  readonly #end = Promise.withResolvers<string>();

  readonly work = (): Promise<string> => {
    this.begun = true;
    return this.#end.promise;
  };

  end(): void {
    this.#end.resolve("done");
  }

  fail(): void {
    this.#end.reject(new Error("no"));
  }
}

/** Lets everything that can begin do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("work about one thing is done in order, about another at once", async () => {
  const order = new InOrder();
  const [first, second, third, other] = [new Job(), new Job(), new Job(), new Job()];
  const all = [first, second, third].map(({ work }) => order.run("thing", work));
  const elsewhere = order.run("other", other.work);
  assertEquals([first.begun, second.begun, other.begun], [true, false, true]);
  first.end();
  await settle();
  assertEquals([second.begun, third.begun, order.isFree(["thing"])], [true, false, false]);
  for (const job of [second, third, other]) job.end();
  assertEquals(await Promise.all([...all, elsewhere]), ["done", "done", "done", "done"]);
  assertEquals(order.isFree(["thing", "other"]), true);
});

Deno.test("work that fails does not keep the next from being done", async () => {
  const order = new InOrder();
  const [first, second] = [new Job(), new Job()];
  const failing = order.run("thing", first.work);
  const next = order.run("thing", second.work);
  first.fail();
  second.end();
  await assertRejects(() => failing, Error, "no");
  assertEquals(await next, "done");
  assertEquals(order.isFree(["thing"]), true);
});

Deno.test("a change comes after those of its path and of the directories above", async () => {
  const after = async (before: string, path: string): Promise<boolean> => {
    const changes = new PathChanges();
    const [first, second] = [new Job(), new Job()];
    const all = [changes.make(PathUri.parse(before), first.work)];
    const waits = !changes.isFree(PathUri.parse(path));
    all.push(changes.make(PathUri.parse(path), second.work));
    assertEquals(second.begun, !waits);
    for (const job of [first, second]) job.end();
    await Promise.all(all);
    assertEquals(changes.isFree(PathUri.parse(path)), true);
    return waits;
  };
  assertEquals(await after("file:///q/f", "file:///q/f"), true);
  assertEquals(await after("file:///q/r/", "file:///q/r"), true);
  assertEquals(await after("file:///q/", "file:///q/r/f"), true);
  assertEquals(await after("file:///", "file:///q"), true);
  assertEquals(await after("file:///q/f", "file:///q/g"), false);
  assertEquals(await after("file:///q/f", "file:///q/f2"), false);
  assertEquals(await after("file:///q/f", "file:///q"), false);
  const long = `file:///${"d/".repeat(1_000_000)}`;
  assertEquals(await after("file:///d", long), false);
  assertEquals(await after(long, long), true);
});
