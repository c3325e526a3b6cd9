import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { glob, path, special, workspaceWrite } from "../../sandbox/context.ts";
import { base64, DONE } from "../perform.ts";
import { codeOf, DENIED, READ_ONLY, Scene, UNSEEN } from "./scene.ts";

const ignore = Deno.build.os !== "linux";
const content = { dataBase64: base64("evil") };
const workspaceOnly = [special("project_roots", "write")];

/** Ways out of a workspace, as links in it. */
const LINKS: Readonly<Record<string, string>> = {
  relative: "../outside",
  absolute: "OUTSIDE",
  chain: "relative",
  dotted: "./../ws/../outside/.",
  processRoot: "/proc/self/root/OUTSIDE",
  processWorkingDirectory: "/proc/self/cwd",
  processDescriptor: "/proc/self/fd/0",
  thread: "/proc/thread-self/root/OUTSIDE",
};

async function sceneWithLinks(entries = workspaceOnly): Promise<Scene> {
  const scene = await Scene.create(entries);
  for (const [name, target] of Object.entries(LINKS)) {
    const text = target.replace("OUTSIDE", scene.directory.at("outside"));
    await Deno.symlink(text, scene.directory.at(`ws/${name}`));
  }
  return scene;
}

Deno.test({
  name: "attack: links lead nobody out of a workspace",
  ignore,
  fn: async () => {
    await using scene = await sceneWithLinks();
    for (const link of Object.keys(LINKS)) {
      const names = [`ws/${link}/secret`, `ws/${link}/new`];
      for (const name of names) {
        const outcomes = [
          await scene.on("fs/readFile", name),
          await scene.on("fs/getMetadata", name),
          await scene.on("fs/canonicalize", name),
          await scene.on("fs/readDirectory", `ws/${link}`),
          await scene.on("fs/writeFile", name, content),
          await scene.on("fs/createDirectory", name),
          await scene.on("fs/remove", name),
          await scene.copy(name, "ws/copy"),
          await scene.copy("ws/file", name),
        ];
        assertEquals(outcomes.map(codeOf), outcomes.map(() => UNSEEN), name);
      }
    }
    assertEquals(await scene.directory.text("outside/secret"), "secret");
    assertEquals(await scene.directory.names("outside"), ["secret"]);
  },
});

Deno.test({
  name: "attack: nothing is written through a link to what may only be read",
  ignore,
  fn: async () => {
    await using scene = await sceneWithLinks(workspaceWrite);
    for (const link of ["relative", "absolute", "chain", "dotted"]) {
      const outcomes = [
        await scene.on("fs/writeFile", `ws/${link}/secret`, content),
        await scene.on("fs/writeFile", `ws/${link}/new`, content),
        await scene.on("fs/createDirectory", `ws/${link}/new/deep`),
        await scene.on("fs/remove", `ws/${link}/secret`),
        await scene.copy("ws/file", `ws/${link}/secret`),
        await scene.copy("ws", `ws/${link}/new`, true),
      ];
      assertEquals(outcomes.map(codeOf), outcomes.map(() => READ_ONLY), link);
    }
    await Deno.symlink("../outside/new", scene.directory.at("ws/dangling"));
    assertEquals(codeOf(await scene.on("fs/writeFile", "ws/dangling", content)), READ_ONLY);
    assertEquals(await scene.directory.names("outside"), ["secret"]);
    // The link itself is the workspace's.
    assertEquals(await scene.on("fs/remove", "ws/relative"), DONE);
    assertEquals(await scene.directory.text("outside/secret"), "secret");
  },
});

Deno.test({
  name: "attack: a tree with links to outside is removed and copied without what they lead to",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(workspaceOnly, { "ws/tree/f": "f" });
    const { directory } = scene;
    await Deno.symlink("../../outside", directory.at("ws/tree/link"));
    assertEquals(await scene.copy("ws/tree", "ws/copy", true), DONE);
    assertEquals(await Deno.readLink(directory.at("ws/copy/link")), "../../outside");
    assertEquals(await scene.on("fs/remove", "ws/tree"), DONE);
    assertEquals(await scene.on("fs/remove", "ws/copy"), DONE);
    assertEquals(await directory.names("outside"), ["secret"]);
  },
});

Deno.test({
  name: "attack: the executor's own processes and devices are as if not there",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(workspaceWrite);
    const hidden = [
      "/proc/self/environ",
      "/proc/self/mem",
      "/proc/self/fd",
      `/proc/${Deno.pid}/environ`,
      "/proc/thread-self/environ",
      "/proc/1/cmdline",
      "/proc/mounts",
      "/dev/mem",
      "/dev/tty",
      "/dev/fd/0",
      "/dev/stdin",
      "/dev/shm",
    ];
    for (const path of hidden) {
      for (const method of ["fs/readFile", "fs/getMetadata", "fs/readDirectory"] as const) {
        const outcome = await scene.perform(method, { path: `file://${path}` });
        assertEquals(codeOf(outcome), UNSEEN, path);
      }
    }
    const names = async (path: string) => {
      const outcome = await scene.perform("fs/readDirectory", { path: `file://${path}` });
      assert("result" in outcome);
      return Array.from(Object(outcome.result).entries, (entry) => Object(entry).fileName);
    };
    assertEquals((await names("/proc")).filter((name) => /^\d|self/.test(name)), []);
    assertEquals((await names("/dev")).sort(), ["full", "null", "random", "urandom", "zero"]);
  },
});

Deno.test({
  name: "attack: of /proc and of devices nothing is written",
  ignore,
  fn: async () => {
    const everything = [special("root", "write"), path("/tmp/none", "deny")];
    await using scene = await Scene.create(everything);
    const write = (path: string) =>
      scene.perform("fs/writeFile", { path: `file://${path}`, ...content });
    assertEquals(codeOf(await write("/dev/null")), -32600);
    assertEquals(codeOf(await write("/dev/kmsg")), READ_ONLY);
    assertEquals(codeOf(await write("/proc/sys/kernel/hostname")), READ_ONLY);
    assertEquals(codeOf(await write("/proc/sysrq-trigger")), READ_ONLY);
    const read = await scene.perform("fs/readFile", { path: "file:///proc/version" });
    assertEquals(codeOf(read), "done");
  },
});

Deno.test({
  name: "attack: a view of processes that is mounted elsewhere is not read",
  ignore: ignore || Deno.uid() !== 0 || !canMount(),
  fn: async () => {
    await using scene = await Scene.create(workspaceWrite);
    await Deno.mkdir(scene.directory.at("ws/proc"));
    const mounted = scene.directory.at("ws/proc");
    run("mount", "-t", "proc", "proc", mounted);
    try {
      for (const name of ["self/environ", `${Deno.pid}/environ`, "version", ""]) {
        const outcome = await scene.on("fs/readFile", `ws/proc/${name}`);
        assert(codeOf(outcome) !== "done", name);
      }
    } finally {
      run("umount", mounted);
    }
  },
});

function run(program: string, ...args: string[]): boolean {
  return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
}

function canMount(): boolean {
  const directory = Deno.makeTempDirSync();
  const mounted = run("mount", "-t", "proc", "proc", directory);
  if (mounted) run("umount", directory);
  Deno.removeSync(directory);
  return mounted;
}

Deno.test({
  name: "attack: protected names are not made, changed or moved out of the way",
  ignore,
  fn: async () => {
    for (const name of [".git", ".agents", ".codex"]) {
      await using scene = await Scene.create(workspaceWrite, { "ws/sub/f": "f" });
      const { directory } = scene;
      await directory.fill({ "ws/source/hooks/pre-commit": "evil" });
      await Deno.symlink(".", directory.at("ws/here"));
      const attempts = async () => [
        await scene.on("fs/writeFile", `ws/${name}`, content),
        await scene.on("fs/createDirectory", `ws/${name}`, { recursive: false }),
        await scene.on("fs/createDirectory", `ws/${name}/hooks`),
        await scene.on("fs/writeFile", `ws/here/${name}/config`, content),
        await scene.on("fs/remove", `ws/${name}`, { force: false }),
        await scene.on("fs/remove", "ws"),
        await scene.copy("ws/source", `ws/${name}`, true),
        await scene.copy("ws/here", `ws/here/${name}`),
        await scene.copy("ws/file", `ws/sub/../${name}`),
      ];
      const missing = (await attempts()).map(codeOf);
      assertEquals(missing.filter((code) => code === "done"), [], name);
      assertEquals(await directory.names("ws"), ["file", "here", "source", "sub"]);
      await directory.fill({ [`ws/${name}/config`]: "good" });
      const present = (await attempts()).map(codeOf);
      assertEquals(present.filter((code) => code === "done"), [], name);
      assertEquals(await directory.names(`ws/${name}`), ["config"]);
      assertEquals(await directory.text(`ws/${name}/config`), "good");
      // It is read as ever.
      assertEquals(codeOf(await scene.on("fs/readFile", `ws/${name}/config`)), "done");
    }
  },
});

Deno.test({
  name: "attack: the repository that a .git file speaks of stays as it is",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(
      (directory) => [special("root", "read"), path(directory.path, "write"), ...workspaceWrite],
      { "ws/.git": "gitdir: ../store/worktree\n", "store/worktree/HEAD": "ref: refs/heads/main" },
    );
    assertEquals(codeOf(await scene.on("fs/writeFile", "ws/.git", content)), READ_ONLY);
    assertEquals(codeOf(await scene.on("fs/writeFile", "store/worktree/HEAD", content)), READ_ONLY);
    assertEquals(codeOf(await scene.on("fs/writeFile", "store/worktree/new", content)), READ_ONLY);
    assertEquals(codeOf(await scene.on("fs/remove", "store")), -32603);
    assertEquals(await scene.on("fs/writeFile", "store/new", content), DONE);
    assertEquals(await scene.directory.names("store/worktree"), ["HEAD"]);
  },
});

Deno.test({
  name: "attack: denied patterns hold under every name that a link gives",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(
      [...workspaceWrite, glob("**/*.key"), glob("private/**")],
      { "ws/a.key": "k", "ws/private/deep/f": "p", "ws/open/f": "o" },
    );
    const { directory } = scene;
    await Deno.symlink("a.key", directory.at("ws/plain"));
    await Deno.symlink("open/f", directory.at("ws/linked.key"));
    await Deno.symlink("private/deep", directory.at("ws/deep"));
    for (const name of ["a.key", "plain", "linked.key", "private/deep/f", "deep/f"]) {
      const outcomes = [
        await scene.on("fs/readFile", `ws/${name}`),
        await scene.on("fs/writeFile", `ws/${name}`, content),
        await scene.copy(`ws/${name}`, "ws/copy.txt"),
      ].map(codeOf);
      // A link is copied as a link, which gives nobody anything.
      if (name === "plain") outcomes[2] = DENIED;
      assertEquals(outcomes, [DENIED, DENIED, DENIED], name);
      await Deno.remove(directory.at("ws/copy.txt")).catch(() => {});
    }
    assertEquals(await directory.text("ws/a.key"), "k");
  },
});

Deno.test({
  name: "attack: a hard link is what it is also for a command: the file that it names",
  ignore,
  fn: async () => {
    await using scene = await Scene.create(workspaceOnly);
    const { directory } = scene;
    await Deno.link(directory.at("outside/secret"), directory.at("ws/hard"));
    assertEquals(await scene.on("fs/readFile", "ws/hard"), {
      result: { dataBase64: base64("secret") },
    });
    // No request makes one: a copy is a file of its own.
    assertEquals(await scene.copy("ws/hard", "ws/copy"), DONE);
    assertEquals((await Deno.stat(directory.at("ws/copy"))).nlink, 1);
  },
});

Deno.test({
  name: "attack: a FIFO is not waited for where somebody wants to read",
  ignore,
  fn: async () => {
    await using scene = await Scene.create();
    await scene.directory.makeFifo("ws/fifo");
    assertEquals(codeOf(await scene.on("fs/readFile", "ws/fifo")), -32600);
    assertEquals(codeOf(await scene.copy("ws/fifo", "ws/copy")), -32600);
    assertEquals(await scene.on("fs/remove", "ws/fifo"), DONE);
  },
});

Deno.test({
  name: "attack: somebody else's link in a directory for everybody is not followed",
  ignore: ignore || Deno.uid() !== 0,
  fn: async () => {
    await using scene = await Scene.create();
    const { directory } = scene;
    await Deno.mkdir(directory.at("ws/shared"));
    await Deno.chmod(directory.at("ws/shared"), 0o1777);
    await Deno.symlink("../file", directory.at("ws/shared/link"));
    assertEquals(codeOf(await scene.on("fs/readFile", "ws/shared/link")), "done");
    assert(run("chown", "-h", "65534", directory.at("ws/shared/link")));
    // The kernel says the same, unless it has been told not to care.
    const kernel = await Deno.readTextFile(directory.at("ws/shared/link")).then(
      () => "done",
      () => DENIED,
    );
    assertEquals(codeOf(await scene.on("fs/readFile", "ws/shared/link")), kernel);
    assertEquals(await scene.on("fs/remove", "ws/shared/link"), DONE);
  },
});

Deno.test({
  name: "attack: a path of very many names is refused as the kernel would, and holds nobody up",
  ignore,
  fn: async () => {
    await using scene = await Scene.create();
    const name = `ws/new${"/a".repeat(2100)}`;
    const outcomes = [
      await scene.on("fs/createDirectory", name, { recursive: true }),
      await scene.on("fs/writeFile", name, content),
      await scene.on("fs/readFile", name),
      await scene.copy("ws/file", name),
    ];
    for (const outcome of outcomes) assertStringIncludes(JSON.stringify(outcome), "name too long");
    assertEquals(await scene.directory.names("ws"), ["file"]);
  },
});

Deno.test({
  name: "attack: a name that is no text does not hide what a pattern denies from a removal",
  ignore,
  fn: async () => {
    await using scene = await Scene.create([...workspaceWrite, glob("**/*.key")], {
      "ws/dir/f": "f",
    });
    const make = 'mkdir "$(printf "dir/\\377")" && echo key > "$(printf "dir/\\377/a.key")"';
    const args = ["-c", make];
    const { success } = await new Deno.Command("sh", { args, cwd: scene.directory.at("ws") })
      .output();
    assert(success);
    assertEquals(codeOf(await scene.on("fs/remove", "ws/dir", { recursive: true })), READ_ONLY);
    const find = { args: ["-c", "cat dir/*/a.key"], cwd: scene.directory.at("ws") };
    const { stdout } = await new Deno.Command("sh", find).output();
    assertEquals(new TextDecoder().decode(stdout), "key\n");
    assertEquals(await scene.directory.text("ws/dir/f"), "f");
  },
});
