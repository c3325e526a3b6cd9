import { assert, assertEquals } from "@std/assert";
import { dirname } from "@std/path/posix";
import { AccessPolicy } from "../../../src/filesystem/access/access_policy.ts";
import { answerDirectlyWithin } from "../../../src/filesystem/access/direct_access.ts";
import { isFileMethod } from "../../../src/filesystem/operations.ts";
import { isLocal } from "../../../src/os/local_file_systems.ts";
import { methods } from "../../../src/protocol/methods.ts";
import { PathUri } from "../../../src/protocol/path_uri.ts";
import { special } from "../../sandbox/context.ts";
import { TestDirectory } from "../../support/test_directory.ts";
import { base64, performBy } from "../perform.ts";
import { confined, confinedFiles, grantedIn, performIn } from "./scene.ts";

const ignore = Deno.build.os !== "linux";

const FILES = {
  ...confinedFiles,
  "ws/file": "file",
  "ws/.git/config": "config",
  "outside/secret": "secret",
};

/** Names in the directory, of every kind that is allowed, forbidden, or leads somewhere else. */
const NAMES = [
  ...Object.keys(FILES),
  ...["ws", "ws/missing", "ws/denied", "ws/denied/missing", "ws/.agents", "ws/HEAD", "ws/fifo"],
  ...[
    "ws/to-file",
    "ws/to-secret",
    "ws/to-outside/secret",
    "ws/to-tree/b",
    "ws/linked",
    "ws/set-id",
  ],
  ...["ws/tree/../file", "ws/./file", "ws//file", "ws/tree/", "ws/file/", "ws/to-denied/f"],
  ...["outside", "outside/missing", ".", "ws/private", "ws/no-entry/f"],
];
const SYSTEM = [
  ...["/etc/hostname", "/etc/shadow", "/proc/self/status", "/proc/1/status", "/proc/version"],
  ...["/proc/sys/kernel/hostname", "/sys/kernel/notes", "/dev/null", "/dev/shm", "/"],
];

async function makeTree(directory: TestDirectory): Promise<void> {
  await directory.fill(FILES);
  await directory.makeFifo("ws/fifo");
  const links = {
    "to-file": "file",
    "to-secret": "../outside/secret",
    "to-outside": "../outside",
    "to-tree": "tree",
    "to-denied": "denied",
  };
  for (const [name, target] of Object.entries(links)) {
    Deno.symlinkSync(target, directory.at(`ws/${name}`));
  }
  Deno.writeTextFileSync(directory.at("ws/linked"), "two names");
  Deno.linkSync(directory.at("ws/linked"), directory.at("outside/linked"));
  directory.write("ws/set-id", "set-user-ID", 0o4755);
  directory.write("ws/private", "private", 0o000);
  directory.write("ws/no-entry/f", "f");
  Deno.chmodSync(directory.at("ws/no-entry"), 0o000);
}

/** What there is below a directory, and whether it is the same as before. */
function inventory(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => `${directory}/${name}`)
    .flatMap((path) => {
      const { ino, size, mode, nlink, mtime, isDirectory } = Deno.lstatSync(path);
      const itself = `${path} ${ino} ${size} ${mode} ${nlink} ${isDirectory || mtime?.getTime()}`;
      const isOpen = isDirectory && ((mode ?? 0) & 0o500) !== 0;
      return [itself, ...isOpen ? inventory(path) : []];
    }).sort();
}

const POLICIES = {
  "a workspace": (directory: TestDirectory) => [special("root", "read"), ...confined(directory)],
  "little else": confined,
};

for (const [what, entriesIn] of Object.entries(POLICIES)) {
  for (const method of ["fs/getMetadata", "fs/readFile", "fs/writeFile"] as const) {
    Deno.test({
      name: `files: ${method} within ${what} is done directly as it is otherwise, or not`,
      ignore,
      fn: async () => {
        using direct = new TestDirectory();
        using otherwise = new TestDirectory();
        const trees = [direct, otherwise];
        for (const tree of trees) await makeTree(tree);
        let done = 0;
        const system = method === "fs/writeFile" ? [] : SYSTEM;
        for (const name of [...NAMES, ...system]) {
          const at = (tree: TestDirectory) => name.startsWith("/") ? name : tree.at(name);
          const paramsIn = (tree: TestDirectory) => ({
            path: PathUri.fromNativePath(at(tree)).toString(),
            ...method === "fs/writeFile" && { dataBase64: base64(`written to ${name}`) },
          });
          await isLocal(dirname(at(direct)));
          const files = grantedIn(direct.at("ws"), entriesIn(direct));
          const parsed = methods[method].params.parse(paramsIn(direct));
          const before = inventory(direct.path);
          assert(isFileMethod(method));
          const result = answerDirectlyWithin(new AccessPolicy(files), method, parsed);
          if (result === undefined) {
            assertEquals(inventory(direct.path), before, name);
            continue;
          }
          done++;
          const perform = performIn(otherwise.at("ws"), entriesIn(otherwise));
          const outcome = await performBy(perform, method, paramsIn(otherwise));
          assertEquals({ result: withoutTimes(result) }, withoutTimes(outcome), name);
        }
        assertEquals(Deno.readTextFileSync(direct.at("outside/secret")), "secret");
        assertEquals(Deno.readTextFileSync(direct.at("ws/.git/config")), "config");
        const [written, expected] = trees.map((tree) => Deno.readTextFileSync(tree.at("ws/file")));
        assertEquals(written, expected);
        assertEquals(written?.startsWith("written"), method === "fs/writeFile");
        assert(done > 0);
        for (const tree of trees) Deno.chmodSync(tree.at("ws/no-entry"), 0o700);
      },
    });
  }
}

Deno.test({
  name:
    "files: what is large, or takes much of the disk, is not replaced in the turn it is asked for",
  ignore,
  fn: async () => {
    using directory = new TestDirectory();
    directory.write("ws/large", "x".repeat(1024 * 1024));
    directory.write("ws/reserved", "x");
    const reserve = ["--keep-size", "--length", "1M", directory.at("ws/reserved")];
    const { success } = new Deno.Command("fallocate", { args: reserve }).outputSync();
    directory.write("ws/small", "x");
    await isLocal(directory.at("ws"));
    const files = grantedIn(directory.at("ws"), POLICIES["a workspace"](directory));
    const policy = new AccessPolicy(files);
    const write = (name: string) => {
      const params = { path: directory.uri(`ws/${name}`), dataBase64: base64("new") };
      return answerDirectlyWithin(
        policy,
        "fs/writeFile",
        methods["fs/writeFile"].params.parse(params),
      );
    };
    assertEquals(write("large"), undefined);
    // Not every file system can.
    if (success) assertEquals(write("reserved"), undefined);
    assertEquals(write("small"), {});
  },
});

/** Both were made at different times. */
function withoutTimes<T>(value: T): unknown {
  return JSON.parse(JSON.stringify(value, (key, member) => /AtMs$/.test(key) ? 0 : member));
}
