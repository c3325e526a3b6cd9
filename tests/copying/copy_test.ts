import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectionError } from "../../src/client/mod.ts";
import { copy } from "../../src/copying/copy.ts";
import type { TreeOptions } from "../../src/copying/copy_tree.ts";
import type { NewAttributes } from "../../src/copying/end.ts";
import { LocalEnd } from "../../src/copying/local_end.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";
import { settled } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const DIRECTORIES_AT_ONCE = 8;
const lost = new ConnectionError("lost", "the executor was lost");

/** A copy of everything in a directory into another one, and what it has said could not be copied. */
class Scene implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly failures: string[] = [];
  readonly #to: LocalEnd;
  readonly #from: LocalEnd;

  constructor(to: LocalEnd, from: LocalEnd = new LocalEnd()) {
    this.#to = to;
    this.#from = from;
    Deno.mkdirSync(`${this.directory.path}/from`);
    Deno.mkdirSync(`${this.directory.path}/to`);
  }

  async copy(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const options: TreeOptions = {
      again: false,
      signal,
      expected: () => {},
      arrived: () => {},
      copied: () => {},
      failed: (_, error) => this.failures.push(String(error)),
    };
    const { path } = this.directory;
    await settled(
      copy(
        { end: this.#from, path: PathUri.fromNativePath(`${path}/from`), contents: false },
        { end: this.#to, path: PathUri.fromNativePath(`${path}/to`), directory: false },
        options,
      ),
      "the copy",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#from[Symbol.asyncDispose](), this.#to[Symbol.asyncDispose]()]);
    this.directory[Symbol.dispose]();
  }
}

function testUnix(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `copy: ${name}`, ignore: Deno.build.os === "windows", fn });
}

/** An executor that is lost at its first link. */
class LostAtLinks extends LocalEnd {
  links = 0;

  override makeLink(): Promise<void> {
    this.links++;
    return Promise.reject(lost);
  }
}

testUnix("an executor that is lost while links are made is told of", async () => {
  const end = new LostAtLinks();
  await using scene = new Scene(end);
  // More than are made at the same time.
  for (let number = 0; number < 600; number++) {
    Deno.symlinkSync("nowhere", `${scene.directory.path}/from/${number}`);
  }
  assertEquals(await assertRejects(() => scene.copy(), ConnectionError), lost);
  assert(end.links < 600, `${end.links} links were tried`);
  assertEquals(scene.failures, []);
});

/** An executor that is lost when a directory gets the attributes that it is to keep. */
class LostAtTheEnd extends LocalEnd {
  override async setAttributes(path: PathUri, attributes: NewAttributes): Promise<void> {
    if (attributes.modifiedAtMs !== undefined) throw lost;
    await super.setAttributes(path, attributes);
  }
}

testUnix("an executor that is lost at the very last is told of", async () => {
  await using scene = new Scene(new LostAtTheEnd());
  scene.directory.write("from/file", "content");
  assertEquals(await assertRejects(() => scene.copy(), ConnectionError), lost);
});

/** A file in it grows after it was looked at. */
class Growing extends LocalEnd {
  override async readFile(path: PathUri): Promise<Uint8Array<ArrayBuffer> | undefined> {
    Deno.writeTextFileSync(path.toNativePath("posix"), "grown ".repeat(500_000));
    return await super.readFile(path);
  }
}

testUnix("a file that has grown since it was looked at is copied to its end", async () => {
  await using scene = new Scene(new LocalEnd(), new Growing());
  scene.directory.write("from/file", "small", 0o640);
  await scene.copy();
  const copy = `${scene.directory.path}/to/from/file`;
  assertEquals(scene.failures, []);
  assertEquals(Deno.readTextFileSync(copy), "grown ".repeat(500_000));
  assertEquals((Deno.statSync(copy).mode ?? 0) & 0o777, 0o640);
  assertEquals([...Deno.readDirSync(`${scene.directory.path}/to/from`)].length, 1);
});

/** Makes a link when another one is asked for, too. */
class PairedLinks extends LocalEnd {
  readonly #second = Promise.withResolvers<void>();
  #links = 0;

  override async makeLink(path: PathUri, target: Uint8Array<ArrayBuffer>): Promise<void> {
    if (++this.#links === 2) this.#second.resolve();
    await this.#second.promise;
    await super.makeLink(path, target);
  }
}

testUnix("links do not wait for each other", async () => {
  await using scene = new Scene(new PairedLinks());
  const { path } = scene.directory;
  for (const name of ["a", "b"]) Deno.symlinkSync(name, `${path}/from/${name}`);
  await scene.copy();
  assertEquals(Deno.readLinkSync(`${path}/to/from/b`), "b");
});

/** Counts the directories that are made at the same time. */
class CountedDirectories extends LocalEnd {
  #now = 0;
  most = 0;

  override async makeDirectory(path: PathUri): Promise<void> {
    this.most = Math.max(this.most, ++this.#now);
    await super.makeDirectory(path);
    this.#now--;
  }
}

testUnix("a directory with many others in it does not have all of them made at once", async () => {
  const end = new CountedDirectories();
  await using scene = new Scene(end);
  const { path } = scene.directory;
  for (let number = 0; number < 50; number++) Deno.mkdirSync(`${path}/from/${number}`);
  await scene.copy();
  assert(end.most <= DIRECTORIES_AT_ONCE, `${end.most} at once`);
  assertEquals([...Deno.readDirSync(`${path}/to/from`)].length, 50);
});

/** Keeps what is done, in order. */
class Recorded extends LocalEnd {
  readonly steps: string[] = [];

  override async setAttributes(path: PathUri, attributes: NewAttributes): Promise<void> {
    this.steps.push(`${path.basename()} ${attributes.permissions?.toString(8)}`);
    await super.setAttributes(path, attributes);
  }

  override async writeFile(...args: Parameters<LocalEnd["writeFile"]>): Promise<void> {
    this.steps.push(`write ${args[0].basename()}`);
    await super.writeFile(...args);
  }
}

testUnix("a second copy of a directory that nobody may write to is made as the first", async () => {
  const end = new Recorded();
  await using scene = new Scene(end);
  const { path } = scene.directory;
  scene.directory.write("from/file", "first");
  Deno.chmodSync(`${path}/from`, 0o555);
  const steps = ["from 755", "write file", "from 555"];
  await scene.copy();
  assertEquals(end.steps, steps);
  // Nobody but root could write to it as it is.
  Deno.writeTextFileSync(`${path}/from/file`, "second one");
  await scene.copy();
  assertEquals(end.steps, [...steps, ...steps]);
  assertEquals(Deno.readTextFileSync(`${path}/to/from/file`), "second one");
  Deno.chmodSync(`${path}/from`, 0o755);
  Deno.chmodSync(`${path}/to/from`, 0o755);
});
