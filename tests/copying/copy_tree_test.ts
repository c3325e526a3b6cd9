import { assertEquals, assertThrows } from "@std/assert";
import { childOf, TreeCopy } from "../../src/copying/copy_tree.ts";
import type { Attributes, Entry } from "../../src/copying/end.ts";
import { LocalEnd } from "../../src/copying/local_end.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const uri = (path: string) => PathUri.fromNativePath(path);
const FILE = { size: 3, permissions: 0o644, modifiedAtMs: 0, targetBase64: undefined } as const;
const DIRECTORY: Attributes = { ...FILE, kind: "directory", permissions: 0o755 };

/** An executor that says of every directory that this is in it, and has one file's content. */
class LyingEnd extends LocalEnd {
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    super();
    this.#entries = entries;
  }

  override async *list(path: PathUri): AsyncGenerator<readonly Entry[]> {
    yield await Promise.resolve(path.basename() === "from" ? this.#entries : []);
  }

  override readFile(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(new TextEncoder().encode("bad"));
  }
}

/** Copies what an executor says is in a directory. Returns what could not be copied. */
async function copyFrom(entries: readonly Entry[], to: string): Promise<string[]> {
  const failures: string[] = [];
  await using local = new LocalEnd();
  const copy = new TreeCopy(new LyingEnd(entries), local, {
    again: false,
    signal: new AbortController().signal,
    expected: () => {},
    arrived: () => {},
    copied: () => {},
    failed: (_, error) => failures.push(error instanceof Error ? error.message : String(error)),
  });
  await copy.run(uri("/from"), DIRECTORY, uri(to), undefined);
  return failures;
}

Deno.test("an executor cannot name what is elsewhere", () => {
  const directory = uri("/a/b");
  for (
    const name of ["", ".", "..", "%2e%2E", "a/b", "/etc", "a%2Fb", "..%2f..%2Fx", "a\\b", "a%5cb"]
  ) {
    assertThrows(() => childOf(directory, name), Error);
  }
  assertThrows(() => childOf(directory, "a", "a"));
  assertThrows(() => childOf(directory, "a", "b"));
  for (const name of ["a", "...", "caf%E9", "a%20b", "%252e"]) {
    assertEquals(childOf(directory, name).parent()?.toString(), "file:///a/b");
  }
  assertEquals(childOf(uri("/"), "x").toString(), "file:///x");
});

Deno.test({
  name: "an executor that names a link and then what it leads to gets nothing written there",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using directory = new TemporaryDirectory();
    const { path } = directory;
    directory.write("outside/precious", "precious");
    const target = new TextEncoder().encode(`${path}/outside`);
    const link: Entry = { ...FILE, name: "a", kind: "symlink", targetBase64: target };
    const again = [
      link,
      { ...DIRECTORY, name: "a" },
      { ...FILE, kind: "file", name: "b" } as const,
    ];
    const failures = await copyFrom(again, `${path}/first`);
    assertEquals(failures, ["`a` is not the name of something in a directory"]);
    assertEquals(Deno.readTextFileSync(`${path}/outside/precious`), "precious");
    assertEquals(Array.from(Deno.readDirSync(`${path}/outside`)).length, 1);

    // Links are made when everything else is there.
    const proper = [link, { ...FILE, kind: "file", name: "b" } as const];
    assertEquals(await copyFrom(proper, `${path}/second`), []);
    assertEquals(Deno.readLinkSync(`${path}/second/a`), `${path}/outside`);
    assertEquals(Deno.readTextFileSync(`${path}/second/b`), "bad");
  },
});
