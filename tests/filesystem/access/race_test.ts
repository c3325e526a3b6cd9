import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { FileWorker } from "../../../src/filesystem/access/file_worker.ts";
import { IntendedFiles } from "../../../src/filesystem/access/sandboxed_files.ts";
import { special } from "../../sandbox/context.ts";
import { base64, type Outcome } from "../perform.ts";
import { codeOf, Scene, UNSEEN } from "./scene.ts";

const SWAPPER = fileURLToPath(new URL("./swapper.ts", import.meta.url));
/** For how long all of it is tried, in milliseconds. */
const RACE_MS = 8000;

const options = {
  maxDepth: 9,
  maxDirectories: 100,
  maxEntries: 100,
  followDirectorySymlinks: false,
};

/** Gives names in a directory to each other, two and two, until disposed of. */
class Swapping implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess) {}

  static async start(directory: string, ...names: readonly string[]): Promise<Swapping> {
    const args = ["run", "--quiet", "--no-check", "-A", SWAPPER, directory, ...names];
    const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" })
      .spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    return new Swapping(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stdin.close();
    await this.child.stdout.cancel();
    await this.child.status;
  }
}

/**
 * What is tried through `way`, which is now a directory, now a link to one outside, and with `one`,
 * which is now a file, now a link to one outside.
 */
type Attempt = (scene: Scene, number: number) => Promise<Outcome>;

const content = { dataBase64: base64("written from inside") };
const attempts: Readonly<Record<string, Attempt>> = {
  read: (scene) => scene.on("fs/readFile", "ws/way/secret"),
  metadata: (scene) => scene.on("fs/getMetadata", "ws/way/secret"),
  list: (scene) => scene.on("fs/readDirectory", "ws/way"),
  walk: (scene) =>
    scene.on("fs/walk", "ws/way", { options: { ...options, followDirectorySymlinks: true } }),
  overwrite: (scene) => scene.on("fs/writeFile", "ws/way/secret", content),
  create: (scene, number) => scene.on("fs/writeFile", `ws/way/new ${number % 10}`, content),
  directory: (scene, number) => scene.on("fs/createDirectory", `ws/way/d${number % 10}/deep`),
  remove: (scene, number) => scene.on("fs/remove", `ws/way/d${number % 10}`, { force: false }),
  copyOut: (scene) => scene.copy("ws/way/secret", "ws/copy"),
  copyIn: (scene, number) => scene.copy("ws/file", `ws/way/new ${number % 10}`),
  readFile: (scene) => scene.on("fs/readFile", "ws/one"),
  writeFile: (scene) => scene.on("fs/writeFile", "ws/one", content),
  copyToFile: (scene) => scene.copy("ws/file", "ws/one"),
  copyTree: (scene, number) => scene.copy("ws/tree", `ws/way/d${number % 10}`, true),
};

Deno.test({
  name: "race: what swaps a directory and a link to outside leads no request there",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using scene = await Scene.create([special("project_roots", "write")], {
      "ws/way/secret": "inside",
      "ws/tree/f": "f",
      "outside/d0/deep/f": "precious",
      "outside/d1/f": "precious",
      "outside/new 0": "precious",
    });
    const { directory } = scene;
    using worker = new FileWorker();
    scene.intended = new IntendedFiles(worker);
    await Deno.symlink("../outside", directory.at("ws/link"));
    const before = await contents(directory.at("outside"));
    const tallies = new Map<string, { done: number; refused: number }>();
    await using _swapping = await Swapping.start(directory.at("ws"), "way", "link", "one", "other");
    const end = performance.now() + RACE_MS;
    await using _inTree = await Swapping.start(directory.at("ws"), "nest/way", "nest/link");
    for (let number = 0; performance.now() < end || !bothSeen(tallies); number++) {
      for (const [name, attempt] of Object.entries(attempts)) {
        await renewFileAndLink(directory.at("ws"));
        const outcome = await attempt(scene, number);
        const tally = tallies.get(name) ?? { done: 0, refused: 0 };
        tallies.set(name, tally);
        if ("result" in outcome) {
          tally.done++;
          const text = JSON.stringify(outcome.result);
          assert(
            !text.includes("precious") && !text.includes(base64("secret")),
            `${name}: ${text}`,
          );
        } else if (codeOf(outcome) === UNSEEN && outcome.message.includes("sandbox")) {
          tally.refused++;
        }
      }
      assert((await copied(scene)) !== "secret");
      await fillNest(directory.at("ws/nest"));
      await scene.on("fs/remove", "ws/nest");
    }
    assertEquals(await contents(directory.at("outside")), before);
  },
});

/** A tree in which a directory and a link are swapped while it is removed. */
async function fillNest(nest: string): Promise<void> {
  // Made where nobody swaps anything: through the link it would be made outside.
  const prepared = `${nest} to be`;
  await Deno.mkdir(`${prepared}/way/deep`, { recursive: true });
  await Deno.symlink("../../outside", `${prepared}/link`);
  await Deno.rename(prepared, nest).catch(() => Deno.remove(prepared, { recursive: true }));
}

/** What is written takes over the name, also where a link has come there meanwhile. */
async function renewFileAndLink(workspace: string): Promise<void> {
  const names = [`${workspace}/one`, `${workspace}/other`];
  const found = await Promise.all(names.map((name) => Deno.lstat(name).catch(() => undefined)));
  if (found.some((file) => file?.isSymlink) && found.some((file) => file?.isFile)) return;
  for (const name of names) await Deno.remove(name).catch(() => {});
  await Deno.symlink("../outside/secret", names[0] ?? "").catch(() => {});
  await Deno.writeTextFile(names[1] ?? "", "inside", { createNew: true }).catch(() => {});
}

/** Whether each attempt has met the directory as well as the link. */
function bothSeen(tallies: ReadonlyMap<string, { done: number; refused: number }>): boolean {
  return tallies.size === Object.keys(attempts).length &&
    [...tallies.values()].every(({ done, refused }) => done > 0 && refused > 0);
}

async function copied(scene: Scene): Promise<string | undefined> {
  return await scene.directory.text("ws/copy").catch(() => undefined);
}

/** All that is below a directory, with what is in the files. */
async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) Object.assign(found, { [path]: "" }, await contents(path));
    else found[path] = await Deno.readTextFile(path);
  }
  return found;
}
