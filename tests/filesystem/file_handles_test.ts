import { assertEquals, assertRejects } from "@std/assert";
import { FileHandles, MAX_OPEN_FILES } from "../../src/filesystem/file_handles.ts";
import { RpcError } from "../../src/protocol/errors.ts";
import { methods } from "../../src/protocol/methods.ts";
import { FOREIGN_URI } from "./perform.ts";
import { TestDirectory } from "../support/test_directory.ts";

function open(handles: FileHandles, handleId: string, path: string) {
  return handles.open(methods["fs/open"].params.parse({ handleId, path }));
}

/** A block as text, and whether it is the last. */
async function read(handles: FileHandles, handleId: string, offset: number, len: number) {
  const { chunk, eof } = await handles.readBlock({ handleId, offset, len });
  return [new TextDecoder().decode(Uint8Array.fromBase64(chunk)), eof];
}

async function assertRefused(refused: Promise<unknown>, code: number, message: string) {
  const error = await assertRejects(() => refused, RpcError, "");
  assertEquals([error.code, error.message], [code, message]);
}

Deno.test("blocks are read from anywhere, the end told by a block that is short", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "hello world" });
  assertEquals(await open(handles, "h", directory.uri("f")), { handleId: "h" });
  assertEquals(await read(handles, "h", 0, 5), ["hello", false]);
  assertEquals(await read(handles, "h", 6, 5), ["world", false]);
  assertEquals(await read(handles, "h", 6, 6), ["world", true]);
  assertEquals(await read(handles, "h", 11, 1), ["", true]);
  assertEquals(await read(handles, "h", 99, 1), ["", true]);
  assertEquals(await read(handles, "h", Number.MAX_SAFE_INTEGER, 1), ["", true]);
  assertEquals(await read(handles, "h", 0, 1024 * 1024), ["hello world", true]);
});

Deno.test("requests need not wait for each other's answers", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "0123456789" });
  const opened = open(handles, "h", directory.uri("f"));
  const digits = Promise.all(
    Array.from({ length: 10 }, (_, index) => read(handles, "h", 9 - index, 1)),
  );
  handles.close({ handleId: "h" });
  const reopened = open(handles, "h", directory.uri("f"));
  assertEquals(await opened, { handleId: "h" });
  assertEquals((await digits).map(([digit]) => digit).join(""), "9876543210");
  assertEquals(await reopened, { handleId: "h" });
});

Deno.test("a read that waits for its turn is of the file that had the handle", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "old": "old", "new": "new" });
  const turn = Promise.withResolvers<void>();
  const block = { handleId: "h", offset: 0, len: 3 };
  await open(handles, "h", directory.uri("old"));
  const reading = handles.readBlock(block, (read) => turn.promise.then(read));
  let isClosed = false;
  const closing = handles.close({ handleId: "h" }).then(() => isClosed = true);
  await open(handles, "h", directory.uri("new"));
  assertEquals(await read(handles, "h", 0, 3), ["new", false]);
  assertEquals(isClosed, false);
  turn.resolve();
  assertEquals(await reading, { chunk: btoa("old"), eof: false });
  await closing;
});

Deno.test("a turn that never comes leaves no file open", async () => {
  await using directory = await TestDirectory.create();
  const handles = new FileHandles();
  await directory.fill({ "f": "x" });
  await open(handles, "h", directory.uri("f"));
  const reading = handles.readBlock(
    { handleId: "h", offset: 0, len: 1 },
    () => Promise.reject(new RpcError(-32600, "the connection has ended")),
  );
  await assertRefused(reading, -32600, "the connection has ended");
  await handles[Symbol.asyncDispose]();
});

Deno.test("what is closed changes its file in turn, and the handle is free before", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  const turn = Promise.withResolvers<void>();
  const path = directory.uri("f");
  const replace = () =>
    handles.open(methods["fs/open"].params.parse({ handleId: "h", path, mode: "replace" }));
  const changed: string[] = [];
  await replace();
  await handles.writeBlock({ handleId: "h", offset: 0, chunk: new TextEncoder().encode("x") });
  const closing = handles.close({ handleId: "h" }, (path, change) => {
    changed.push(path.toString());
    return turn.promise.then(change);
  });
  await replace();
  assertEquals([changed, await directory.names()], [[path], []]);
  turn.resolve();
  await closing;
  assertEquals(await directory.text("f"), "x");
});

Deno.test("an open file is the one that was opened, also when its name is gone", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "old" });
  await open(handles, "h", directory.uri("f"));
  await Deno.remove(directory.at("f"));
  assertEquals(await read(handles, "h", 0, 10), ["old", true]);
});

Deno.test("closing is always fine, reading what is closed is not", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "x" });
  await open(handles, "h", directory.uri("f"));
  assertEquals(await handles.close({ handleId: "h" }), {});
  assertEquals(await handles.close({ handleId: "h" }), {});
  await assertRefused(read(handles, "h", 0, 1), -32004, "unknown file handle `h`");
  assertEquals(await open(handles, "h", directory.uri("f")), { handleId: "h" });
});

Deno.test("an id is taken once, and again after a failure", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "x" });
  await assertRefused(
    open(handles, "h", directory.uri("missing")),
    -32004,
    "No such file or directory (os error 2)",
  );
  await open(handles, "h", directory.uri("f"));
  await assertRefused(
    open(handles, "h", directory.uri("missing")),
    -32600,
    "file handle `h` already exists",
  );
  assertEquals(await open(handles, "", directory.uri("f")), { handleId: "" });
});

Deno.test("only regular files are opened", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.makeFifo("fifo");
  for (const path of [directory.path, directory.at("fifo"), "/dev/null"]) {
    await assertRefused(
      open(handles, "h", `file://${path}`),
      -32600,
      `path \`${path}\` is not a file`,
    );
  }
  await assertRefused(
    open(handles, "h", FOREIGN_URI),
    -32600,
    "'file:///C:/x' is a Windows path, and paths of this host are POSIX paths",
  );
});

Deno.test("blocks and ids have limits", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "x" });
  const lengthRefused = "file read block length must be between 1 and 1048576";
  await assertRefused(read(handles, "h", 0, 0), -32600, lengthRefused);
  await assertRefused(read(handles, "h", 0, 1048577), -32600, lengthRefused);
  const idRefused = "file handle ID must not exceed 32 bytes";
  assertEquals(await open(handles, "é".repeat(16), directory.uri("f")), {
    handleId: "é".repeat(16),
  });
  const longId = "é".repeat(17);
  await assertRefused(open(handles, longId, directory.uri("missing")), -32600, idRefused);
  await assertRefused(read(handles, longId, 0, 0), -32600, idRefused);
  await assertRefused(handles.close({ handleId: longId }), -32600, idRefused);
});

Deno.test("a connection has so many files open and no more", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "x" });
  await Promise.all(
    Array.from(
      { length: MAX_OPEN_FILES },
      (_, index) => open(handles, String(index), directory.uri("f")),
    ),
  );
  await assertRefused(
    open(handles, "more", directory.uri("f")),
    -32600,
    "at most 128 files may be open per connection",
  );
  handles.close({ handleId: "0" });
  assertEquals(await open(handles, "more", directory.uri("f")), { handleId: "more" });
});

Deno.test("files that are closed while reads of them wait make room for others in the end", async () => {
  await using directory = await TestDirectory.create();
  await using handles = new FileHandles();
  await directory.fill({ "f": "x" });
  const turns = Promise.withResolvers<void>();
  const block = { handleId: "h", offset: 0, len: 1 };
  const results: Promise<unknown>[] = [];
  for (let count = 0; count < 3 * MAX_OPEN_FILES; count++) {
    results.push(
      open(handles, "h", directory.uri("f")),
      handles.readBlock(block, (read) => turns.promise.then(read)),
      handles.close({ handleId: "h" }),
      open(handles, "h", directory.uri("missing")).catch(() => {}),
      handles.close({ handleId: "h" }),
    );
  }
  turns.resolve();
  await Promise.all(results);
  assertEquals(await open(handles, "h", directory.uri("f")), { handleId: "h" });
});

// The test runner itself reports files that are left open.
Deno.test("all files are closed with their connection, also those still being opened", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "x" });
  const handles = new FileHandles();
  await open(handles, "open", directory.uri("f"));
  const reading = read(handles, "open", 0, 1);
  const opening = open(handles, "opening", directory.uri("f"));
  await handles[Symbol.asyncDispose]();
  assertEquals(await reading, ["x", false]);
  await opening;
  await assertRefused(read(handles, "open", 0, 1), -32004, "unknown file handle `open`");
});
