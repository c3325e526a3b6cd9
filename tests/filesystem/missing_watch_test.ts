import { assertEquals } from "@std/assert";
import { MissingWatch } from "../../src/filesystem/missing_watch.ts";
import { methods } from "../../src/protocol/methods.ts";
import { eventually } from "../support/patience.ts";
import { TestDirectory } from "../support/test_directory.ts";

/** A watch in a directory that holds a directory `there` and a file `file`. */
class Scene implements AsyncDisposable {
  readonly told: number[] = [];
  readonly #watch = new MissingWatch((watchId) => this.told.push(watchId));
  #lastId = 0;

  private constructor(readonly directory: TestDirectory) {}

  static async create(): Promise<Scene> {
    const directory = await TestDirectory.create();
    await directory.fill({ "there/x": "", "file": "" });
    return new Scene(directory);
  }

  start(missing: readonly string[], present?: string, watchId = ++this.#lastId): Promise<boolean> {
    return this.#watch.start(methods["fs/watchMissing"].params.parse({
      watchId,
      missing: missing.map((name) => name.includes(":") ? name : this.directory.uri(name)),
      present: present === undefined ? undefined : this.directory.uri(present),
    }));
  }

  async tells(...ids: number[]): Promise<void> {
    await eventually(() => this.told.length >= ids.length, "word from the watch");
    assertEquals(this.told, ids);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.directory[Symbol.asyncDispose]();
  }
}

/** What is watched, and what happens then that has to be told. */
const CHANGES: Record<
  string,
  [missing: string[], present: string | undefined, change: (at: (name: string) => string) => void]
> = {
  "a file comes": [["new"], undefined, (at) => Deno.writeTextFileSync(at("new"), "")],
  "a directory on the way comes": [["a/b/c"], undefined, (at) => Deno.mkdirSync(at("a"))],
  "a file comes in a directory's place": [
    ["a/b"],
    undefined,
    (at) => Deno.writeTextFileSync(at("a"), ""),
  ],
  "a link that leads nowhere comes": [["new"], undefined, (at) => Deno.symlinkSync("x", at("new"))],
  "one of several comes": [
    ["there/1", "a/2", "3"],
    "there",
    (at) => Deno.writeTextFileSync(at("3"), ""),
  ],
  "something is moved there": [["new"], undefined, (at) => Deno.renameSync(at("file"), at("new"))],
  "what was present is moved": [["new"], "there", (at) => Deno.renameSync(at("there"), at("t"))],
  "what was present is removed": [["new"], "file", (at) => Deno.removeSync(at("file"))],
  "the directory that it would be in is moved": [
    ["there/new"],
    undefined,
    (at) => Deno.renameSync(at("there"), at("t")),
  ],
};

for (const [what, [missing, present, change]] of Object.entries(CHANGES)) {
  Deno.test(`a watch tells once: ${what}`, async () => {
    await using scene = await Scene.create();
    assertEquals(await scene.start(missing, present), true);
    change((name) => scene.directory.at(name));
    await scene.tells(1);
    Deno.mkdirSync(scene.directory.at("later"));
    assertEquals(await scene.start(["again"]), true);
    Deno.mkdirSync(scene.directory.at("again"));
    await scene.tells(1, 2);
  });
}

Deno.test("what happens beside the paths is not told", async () => {
  await using scene = await Scene.create();
  assertEquals(await scene.start(["new", "a/b"], "there"), true);
  await scene.directory.fill({ "there/y": "", "other": "", "file": "changed" });
  await Deno.remove(scene.directory.at("there/x"));
  await Deno.mkdir(scene.directory.at("a"));
  await scene.tells(1);
});

Deno.test("a later watch takes the place of the one before, also one that does not begin", async () => {
  await using scene = await Scene.create();
  assertEquals(await scene.start(["first"]), true);
  assertEquals(await scene.start(["file"]), false);
  await scene.directory.fill({ "first": "" });
  assertEquals(await scene.start(["second"]), true);
  assertEquals(await scene.start(["third"]), true);
  await scene.directory.fill({ "second": "", "third": "" });
  await scene.tells(4);
});

Deno.test("an id that is not above those before begins no watch and ends none", async () => {
  await using scene = await Scene.create();
  assertEquals(await scene.start(["new"], undefined, 10), true);
  for (const id of [10, 9, 0]) assertEquals(await scene.start(["other"], undefined, id), false);
  await scene.directory.fill({ "new": "" });
  await scene.tells(10);
  assertEquals(await scene.start(["other"], undefined, 10), false);
});

Deno.test("what cannot be watched is not", async () => {
  await using scene = await Scene.create();
  await Deno.symlink("there", scene.directory.at("link"));
  await Deno.symlink("loop", scene.directory.at("loop"));
  const many = Array.from({ length: 65 }, (_, index) => `new ${index}`);
  assertEquals(await scene.start(many.slice(1)), true);
  assertEquals(await scene.start(many), false, "too many");
  assertEquals(await scene.start([]), false, "none");
  assertEquals(await scene.start(["new", "file"]), false, "one is there");
  assertEquals(await scene.start(["link"]), false, "a link is there");
  assertEquals(await scene.start(["file/x"]), false, "behind a file");
  assertEquals(await scene.start(["loop/x"]), false, "behind a loop");
  assertEquals(await scene.start([`${"n".repeat(300)}/x`]), false, "a name too long");
  assertEquals(await scene.start(["new"], "nothing"), false, "what has to be there is not");
  assertEquals(await scene.start(["new"], "link"), false, "nor is it a link");
  assertEquals(await scene.start(["file:///C:/x"]), false, "a foreign path");
});
