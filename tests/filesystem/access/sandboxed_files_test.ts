import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { path, special, workspaceWrite } from "../../sandbox/context.ts";
import { base64, DONE, NOT_FOUND } from "../perform.ts";
import { codeOf, confined, confinedFiles, DENIED, READ_ONLY, Scene, UNSEEN } from "./scene.ts";

const ignore = Deno.build.os !== "linux";
const content = { dataBase64: base64("new") };
const options = {
  maxDepth: 9,
  maxDirectories: 100,
  maxEntries: 100,
  followDirectorySymlinks: false,
};

Deno.test({
  name: "files: a workspace is read and written as without a sandbox",
  ignore,
  fn: async () => {
    await using scene = await Scene.create();
    const { directory } = scene;
    assertEquals(await scene.on("fs/readFile", "ws/file"), {
      result: { dataBase64: base64("file") },
    });
    assertEquals(await scene.on("fs/writeFile", "ws/file", content), DONE);
    assertEquals(await directory.text("ws/file"), "new");
    assertEquals(await scene.on("fs/writeFile", "ws/fresh", content), DONE);
    assertEquals(await scene.on("fs/createDirectory", "ws/a/b/c"), DONE);
    assertEquals(await scene.on("fs/createDirectory", "ws/a/b/c"), DONE);
    assertEquals(
      codeOf(await scene.on("fs/createDirectory", "ws/a", { recursive: false })),
      -32603,
    );
    assertEquals(await scene.on("fs/createDirectory", "ws/d", { recursive: false }), DONE);
    assertEquals(await scene.copy("ws/file", "ws/a/b/copy"), DONE);
    assertEquals(await scene.copy("ws/a", "ws/copied", true), DONE);
    assertEquals(await directory.text("ws/copied/b/copy"), "new");
    assertEquals(codeOf(await scene.copy("ws/a", "ws/a/b/inner", true)), -32600);
    assertObjectMatch(await scene.on("fs/getMetadata", "ws/fresh"), {
      result: { isFile: true, isSymlink: false, size: 3 },
    });
    assertEquals(await scene.on("fs/canonicalize", "ws/a/../file"), {
      result: { path: directory.uri("ws/file") },
    });
    assertEquals(await scene.on("fs/remove", "ws/a"), DONE);
    assertEquals(await scene.on("fs/remove", "ws/missing"), DONE);
    assertEquals(await scene.on("fs/remove", "ws/missing", { force: false }), NOT_FOUND);
    assertEquals(await directory.names("ws"), ["copied", "d", "file", "fresh"]);
    assertEquals(await scene.on("fs/walk", "ws", { options }), {
      result: {
        entries: [
          { path: directory.uri("ws/copied"), kind: "directory" },
          { path: directory.uri("ws/d"), kind: "directory" },
          { path: directory.uri("ws/file"), kind: "file" },
          { path: directory.uri("ws/fresh"), kind: "file" },
          { path: directory.uri("ws/copied/b"), kind: "directory" },
          { path: directory.uri("ws/copied/b/c"), kind: "directory" },
          { path: directory.uri("ws/copied/b/copy"), kind: "file" },
        ],
        errors: [],
        truncated: false,
      },
    });
  },
});

Deno.test({
  name: "files: what may only be read cannot be changed in any way",
  ignore,
  fn: async () => {
    await using scene = await Scene.create();
    const { directory } = scene;
    assertEquals(await scene.on("fs/readFile", "outside/secret"), {
      result: { dataBase64: base64("secret") },
    });
    assertEquals(await scene.copy("outside/secret", "ws/copy"), DONE);
    const refusals = [
      await scene.on("fs/writeFile", "outside/secret", content),
      await scene.on("fs/writeFile", "outside/new", content),
      await scene.on("fs/createDirectory", "outside/new"),
      await scene.on("fs/createDirectory", "outside/new/deep"),
      await scene.on("fs/remove", "outside/secret"),
      await scene.on("fs/remove", "outside"),
      await scene.copy("ws/file", "outside/new"),
      await scene.copy("ws/file", "outside/secret"),
      await scene.copy("ws", "outside/new", true),
      await scene.copy("ws", "outside", true),
    ];
    assertEquals(refusals.map(codeOf), refusals.map(() => READ_ONLY));
    assertEquals(refusals[0], {
      code: READ_ONLY,
      message: `the sandbox does not allow to change '${directory.at("outside/secret")}': ` +
        "Read-only file system (os error 30)",
    });
    assertEquals(await directory.names("outside"), ["secret"]);
    assertEquals(await directory.text("outside/secret"), "secret");
  },
});

Deno.test({
  name: "files: what is not granted is as if not there, what is denied is denied",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(confined, confinedFiles);
    const expected = { "outside/secret": UNSEEN, "outside/none": UNSEEN, "none/none": UNSEEN };
    const denied = { "ws/denied/f": DENIED, "ws/tree/a.key": DENIED, "ws/none.key": DENIED };
    for (const [name, code] of Object.entries({ ...expected, ...denied })) {
      const codes = [
        await scene.on("fs/readFile", name),
        await scene.on("fs/getMetadata", name),
        await scene.on("fs/canonicalize", name),
        await scene.on("fs/readDirectory", name),
        await scene.on("fs/walk", name, { options }),
        await scene.on("fs/writeFile", name, content),
        await scene.on("fs/createDirectory", name),
        await scene.on("fs/remove", name),
        await scene.copy(name, "ws/copy"),
        await scene.copy("ws/file", name),
      ].map(codeOf);
      assertEquals(codes, codes.map(() => code), name);
    }
    assertEquals(codeOf(await scene.on("fs/writeFile", "ws/readable/f", content)), READ_ONLY);
    assertEquals(await scene.directory.names("ws"), ["denied", "file", "readable", "tree"]);
  },
});

Deno.test({
  name: "files: a directory above what is granted shows that and nothing else",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(confined, confinedFiles);
    assertEquals(await scene.on("fs/canonicalize", "."), {
      result: { path: scene.directory.uri(".") },
    });
    assertObjectMatch(await scene.on("fs/getMetadata", "."), { result: { isDirectory: true } });
    const { result } = { result: undefined, ...await scene.on("fs/readDirectory", ".") };
    assertEquals(namesIn(result), ["single", "ws"]);
    assertEquals(codeOf(await scene.on("fs/writeFile", "new", content)), UNSEEN);
    assertEquals(codeOf(await scene.on("fs/remove", ".")), UNSEEN);
    const walked = await scene.on("fs/walk", ".", { options });
    assert("result" in walked);
    const paths = Array.from(Object(walked.result).entries, (entry) => Object(entry).path);
    assert(paths.includes(scene.directory.uri("ws/file")));
    assert(!paths.some((path) => path.startsWith(scene.directory.uri("outside"))));
    assert(!paths.includes(scene.directory.uri("single/other")));
  },
});

Deno.test({
  name: "files: a file that is granted by itself is written in place",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(confined, confinedFiles);
    const { ino } = await Deno.stat(scene.directory.at("single/file"));
    assertEquals(await scene.on("fs/writeFile", "single/file", content), DONE);
    assertEquals(await scene.copy("ws/file", "single/file"), DONE);
    assertEquals(await scene.directory.text("single/file"), "file");
    assertEquals((await Deno.stat(scene.directory.at("single/file"))).ino, ino);
    assertEquals(codeOf(await scene.on("fs/remove", "single/file")), UNSEEN);
    assertEquals(codeOf(await scene.on("fs/readFile", "single/other")), UNSEEN);
    assertEquals(await scene.directory.names("single"), ["file", "other"]);
  },
});

Deno.test({
  name: "files: a tree of which a part has to stay is not removed at all",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(confined, {
      ...confinedFiles,
      "ws/outer/inner/f": "f",
      "ws/outer/inner/a.key": "k",
      "ws/.git/config": "",
    });
    const before = await scene.on("fs/walk", "ws", { options });
    assertEquals(codeOf(await scene.on("fs/remove", "ws/tree")), DENIED);
    assertEquals(codeOf(await scene.on("fs/remove", "ws/outer")), DENIED);
    assertEquals(codeOf(await scene.on("fs/remove", "ws/.git")), READ_ONLY);
    assertEquals(codeOf(await scene.on("fs/remove", "ws")), UNSEEN);
    assertEquals(await scene.on("fs/walk", "ws", { options }), before);
    await Deno.remove(scene.directory.at("ws/outer/inner/a.key"));
    assertEquals(await scene.on("fs/remove", "ws/outer"), DONE);
  },
});

Deno.test({
  name: "files: a tree with names that are not UTF-8 is removed",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(workspaceWrite, { "ws/tree/f": "f" });
    const script = 'mkdir "$0/$(printf "d\\377")" && echo x > "$0/$(printf "d\\377")/f"';
    const args = ["-c", script, scene.directory.at("ws/tree")];
    assert((await new Deno.Command("sh", { args }).output()).success);
    assertEquals(await scene.on("fs/remove", "ws/tree"), DONE);
    assertEquals(await scene.directory.names("ws"), ["file"]);
  },
});

Deno.test({
  name: "files: a directory in a writable one is kept if something protected is below it",
  ignore,
  fn: async () => {
    await using scene = await Scene.create((directory) => [
      path(directory.at("parent"), "write"),
      path(directory.at("parent/a/project"), "write"),
    ], { "parent/a/project/f": "f", "parent/b/f": "f" });
    const { directory } = scene;
    const refusal = await scene.on("fs/remove", "parent/a");
    assertEquals(refusal, {
      code: -32603,
      message: `the sandbox does not allow to remove '${directory.at("parent/a")}', for ` +
        `'${directory.at("parent/a/project/.agents")}' has to stay as it is: ` +
        "Device or resource busy (os error 16)",
    });
    assertEquals(await directory.text("parent/a/project/f"), "f");
    assertEquals(await scene.on("fs/remove", "parent/b"), DONE);
  },
});

Deno.test({
  name: "files: a directory is copied only if all of it may be",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(confined, {
      ...confinedFiles,
      "ws/plain/f": "f",
      "ws/plain/readable/f": "changed",
    });
    assertEquals(codeOf(await scene.copy("ws/tree", "ws/copy", true)), DENIED);
    // One of its files would go where nothing may be changed.
    assertEquals(codeOf(await scene.copy("ws/plain", "ws", true)), READ_ONLY);
    assertEquals(await scene.directory.names("ws"), [
      "denied",
      "file",
      "plain",
      "readable",
      "tree",
    ]);
    assertEquals(await scene.copy("ws/readable", "ws/copy", true), DONE);
    assertEquals(await scene.directory.text("ws/copy/f"), "readable");
  },
});

Deno.test({
  name: "files: of a directory above what is granted that is copied and nothing else",
  ignore,
  fn: async () => {
    await using scene = await Scene.create((directory) => [
      special("project_roots", "write"),
      path(directory.at("above/between/granted"), "read"),
    ], { "above/between/granted/f": "f", "above/between/other": "o", "above/other": "o" });
    assertEquals(await scene.copy("above", "ws/copy", true), DONE);
    assertEquals(await scene.directory.names("ws/copy"), ["between"]);
    assertEquals(await scene.directory.names("ws/copy/between"), ["granted"]);
    assertEquals(await scene.directory.text("ws/copy/between/granted/f"), "f");
  },
});

Deno.test({
  name: "files: a walk tells of what it may not enter and goes on",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(confined, confinedFiles);
    const { directory } = scene;
    assertObjectMatch(await scene.on("fs/walk", "ws", { options }), {
      result: {
        errors: [{
          path: directory.uri("ws/denied"),
          message: `the sandbox denies '${directory.at("ws/denied")}': ` +
            "Permission denied (os error 13)",
        }],
        truncated: false,
      },
    });
  },
});

function namesIn(result: unknown): string[] {
  const { entries } = Object(result);
  return Array.from(entries, (entry) => String(Object(entry).fileName)).sort();
}
