import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Ended, ended, ListeningExecutor, remex, runToEnd } from "./support/executor.ts";
import { eventually } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const windows = Deno.build.os === "windows";
const LONG_AGO = 1_000_000_000_123;
const MIB = 1024 * 1024;

function testUnix(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `cp: ${name}`, ignore: windows, fn });
}

/** What is below a directory, with all that a copy keeps. */
function treeOf(directory: string): string[] {
  const list =
    "find . ! -type l -printf '%p %y %m %T@\\n' -o -printf '%p %l\\n' | LC_ALL=C sort; " +
    "find . -type f -exec sha256sum {} + | LC_ALL=C sort";
  const { stdout, success } = new Deno.Command("sh", { args: ["-c", list], cwd: directory })
    .outputSync();
  assert(success);
  return new TextDecoder("latin1").decode(stdout).split("\n");
}

function assertSameTree(copy: string, original: string): void {
  const [copied, expected] = [treeOf(copy), treeOf(original)];
  const differing = copied.filter((line, index) => line !== expected[index]);
  assertEquals({ lines: copied.length, differing }, { lines: expected.length, differing: [] });
}

function randomFile(path: string, bytes: number): void {
  using file = Deno.openSync(path, { write: true, create: true });
  for (let left = bytes; left > 0; left -= 65536) {
    file.writeSync(crypto.getRandomValues(new Uint8Array(Math.min(left, 65536))));
  }
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

function succeeds({ code, stderr }: Ended): void {
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
}

function fails(run: Ended, code: number, words: RegExp): void {
  assertEquals({ code: run.code, stdout: run.stdout }, { code, stdout: "" });
  assertMatch(run.stderr, words);
}

testUnix("a tree goes there and comes back as it is, and a second time costs nothing", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  directory.write("from/a", "hello", 0o640);
  directory.write("from/private/deep/er/b", "x".repeat(100_000), 0o400);
  Deno.mkdirSync(`${path}/from/empty`);
  randomFile(`${path}/from/large`, 3 * MIB + 5);
  Deno.symlinkSync("/no where", `${path}/from/dangling`);
  Deno.symlinkSync("private", `${path}/from/to directory`);
  for (let number = 0; number < 300; number++) directory.write(`from/many/${number}`, `${number}`);
  const name = "printf 'caf\\351 %%2f'";
  new Deno.Command("sh", { args: ["-c", `cd '${path}/from' && echo x >"$(${name})"`] })
    .outputSync();
  for (const name of ["a", "private", "empty", "."]) {
    Deno.utimeSync(`${path}/from/${name}`, 0, LONG_AGO / 1000);
  }
  Deno.chmodSync(`${path}/from/private`, 0o700);
  Deno.chmodSync(`${path}/from/private/deep`, 0o555);
  // Times are kept to the millisecond.
  new Deno.Command("sh", {
    args: ["-c", `find '${path}/from' ! -type l -exec touch -d '2020-02-03 04:05:06.789' {} +`],
  }).outputSync();

  succeeds(await runToEnd(["cp", `${path}/from`, `${executor.url}${path}/there`]));
  assertSameTree(`${path}/there`, `${path}/from`);
  succeeds(await runToEnd(["cp", "--url", executor.url, `:${path}/there/`, `${path}/back`]));
  assertSameTree(`${path}/back`, `${path}/from`);

  const inode = Deno.statSync(`${path}/there/large`).ino;
  Deno.chmodSync(`${path}/there/a`, 0o600);
  Deno.removeSync(`${path}/there/dangling`);
  succeeds(await runToEnd(["cp", `${path}/from/.`, `${executor.url}${path}/there`]));
  // The directory that the copy went into is not part of it.
  new Deno.Command("touch", { args: ["-r", `${path}/from`, `${path}/there`] }).outputSync();
  assertSameTree(`${path}/there`, `${path}/from`);
  assertEquals(Deno.statSync(`${path}/there/large`).ino, inode);
  succeeds(await runToEnd(["cp", "--again", `${path}/from`, `${executor.url}${path}/there/.`]));
  assertSameTree(`${path}/there/from`, `${path}/from`);
});

testUnix("what is no file is left out, and all else is copied", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  directory.write("from/file", "x");
  new Deno.Command("mkfifo", { args: [`${path}/from/pipe`] }).outputSync();
  const run = await runToEnd(["cp", `${path}/from`, `${executor.url}${path}/to`]);
  fails(run, 1, /^remex: \/.*\/from\/pipe: it is a FIFO, socket or device, and is left out\n$/);
  assertEquals(namesIn(`${path}/to`), ["file"]);
});

testUnix("holes of a sparse file stay holes", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  {
    using file = Deno.openSync(`${path}/sparse`, { write: true, create: true });
    file.truncateSync(40 * MIB);
    file.seekSync(20 * MIB, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode("middle"));
  }
  succeeds(await runToEnd(["cp", `${path}/sparse`, `${executor.url}${path}/copy`]));
  const { size, blocks } = Deno.statSync(`${path}/copy`);
  assertEquals(size, 40 * MIB);
  assert(blocks !== null && blocks * 512 < 4 * MIB, `${blocks} blocks`);
  const same = new Deno.Command("cmp", { args: [`${path}/sparse`, `${path}/copy`] }).outputSync();
  assert(same.success);
});

testUnix("standard input and output, of any length", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  for (const text of ["", "short\n", "long\n".repeat(1_000_000)]) {
    succeeds(await runToEnd(["cp", "-", `${executor.url}${path}/file`], text));
    const run = await runToEnd(["cp", "--url", executor.url, `:${path}/file`, "-"]);
    assertEquals({ ...run, stdout: run.stdout === text }, { code: 0, stdout: true, stderr: "" });
  }
  const proc = await runToEnd(["cp", `${executor.url}/proc/self/comm`, "-"]);
  assertEquals(proc, { code: 0, stdout: "remex\n", stderr: "" });
  const to = `${executor.url}${path}`;
  fails(await runToEnd(["cp", "-", to], "x"), 1, /is a directory; the file needs a name\n$/);
  fails(await runToEnd(["cp", to, "-"]), 1, /is no file, and standard output takes one\n$/);
  assertEquals(namesIn(path), ["file"]);
  const mode = (Deno.statSync(`${path}/file`).mode ?? 0) & 0o777;
  assertEquals(mode, 0o666 & ~Deno.umask());
});

testUnix("Ctrl-C leaves nothing of what came from standard input", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  const child = remex(["cp", "-", `${executor.url}${path}/file`], { stderr: "piped" });
  const said = new Response(child.stderr).text();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(3 * MIB).fill(1));
  const sizes = () => namesIn(path).map((name) => Deno.statSync(`${path}/${name}`).size);
  // Nothing is under way then, and the copy waits for more.
  await eventually(() => sizes().includes(3 * MIB), "the unfinished file");
  child.kill("SIGINT");
  assertEquals((await ended(child)).code, 130);
  assertEquals([await said, namesIn(path)], ["", []]);
  await Promise.all([writer.abort().catch(() => {}), child.stdout.cancel()]);
});

testUnix("a destination that makes no sense is told, and nothing is changed", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  directory.write("dir/inner/file", "inner");
  directory.write("file", "content");
  Deno.symlinkSync("dir/inner", `${path}/link`);
  const before = treeOf(path);
  const at = (name: string) => `${executor.url}${path}/${name}`;
  const wrong: [string, string, RegExp][] = [
    [`${path}/missing`, at("new"), /missing: there is no such file or directory\n$/],
    [at("missing"), `${path}/new`, /missing: there is no such file or directory\n$/],
    [`${path}/file`, at("no/where"), /\d\/\S+\/no: there is no such directory\n$/],
    [at("file"), `${path}/no/where`, /^remex: \/\S+\/no: there is no such directory\n$/],
    [`${path}/file`, "ws:" + at("file/x").slice(3), /^remex: ws:\/\/\S+\/file\/x: Not a directory/],
    [`${path}/dir`, at("no/where"), /\/no: there is no such directory\n$/],
    [`${path}/file`, at("new/"), /new is no directory\n$/],
    [`${path}/dir`, at("file"), /file is there already, and is no directory\n$/],
    [`${path}/file`, at("file"), /file and .*file are the same file\n$/],
    [at("file"), path, /are the same file\n$/],
    [`${path}/dir`, at("dir/inner/new"), /dir cannot be copied into itself\n$/],
    [`${path}/dir`, at("link"), /dir cannot be copied into itself\n$/],
    [`${path}/dir/.`, at("dir"), /dir cannot be copied into itself\n$/],
    ["/dev/null", at("new"), /\/dev\/null is no file or directory\n$/],
  ];
  for (const [from, to, words] of wrong) fails(await runToEnd(["cp", from, to]), 1, words);
  assertEquals(treeOf(path), before);
  // Into a directory that is there, under its own name; not over a directory of that name.
  succeeds(await runToEnd(["cp", `${path}/file`, at("dir")]));
  assertEquals(Deno.readTextFileSync(`${path}/dir/file`), "content");
  directory.write("inner", "a file");
  const over = await runToEnd(["cp", `${path}/inner`, at("dir")]);
  fails(over, 1, /dir\/inner is a directory\n$/);
});

testUnix("a standard stream is no file to be replaced", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  directory.write("file", "content");
  directory.write("log", "first\n");
  const script = `"$0" "$@" >> '${path}/log'; echo last >> '${path}/log'`;
  for (const name of ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]) {
    const run = await runToEnd(["cp", `${executor.url}${path}/file`, name], "", {
      launcher: ["sh", "-c", script],
    });
    assertEquals(run.stderr, `remex: \`${name}\`: standard input and output are written -\n`);
  }
  assertEquals(Deno.readTextFileSync(`${path}/log`), "first\nlast\nlast\nlast\n");
});

testUnix("a link in the way is replaced in a tree, and followed where it is named", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  directory.write("precious", "precious");
  directory.write("from/file", "new");
  directory.write("from/dir/file", "new");
  Deno.mkdirSync(`${path}/to`);
  Deno.symlinkSync("../precious", `${path}/to/file`);
  Deno.symlinkSync("..", `${path}/to/dir`);
  const run = await runToEnd(["cp", `${path}/from/.`, `${executor.url}${path}/to`]);
  fails(run, 1, /dir: .*to\/dir is there already, and is no directory\n$/);
  assertEquals(Deno.readTextFileSync(`${path}/precious`), "precious");
  assertEquals(Deno.readTextFileSync(`${path}/to/file`), "new");
  assertEquals(namesIn(path), ["from", "precious", "to"]);
  Deno.symlinkSync("precious", `${path}/named`);
  succeeds(await runToEnd(["cp", `${path}/from/file`, `${executor.url}${path}/named`]));
  assertEquals(Deno.readTextFileSync(`${path}/precious`), "new");
});

testUnix("what does not fit leaves nothing", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  const launcher = ["/usr/bin/prlimit", `--fsize=${2 * MIB}`, "--"];
  await using executor = await ListeningExecutor.start({ launcher });
  randomFile(`${path}/large`, 12 * MIB);
  Deno.mkdirSync(`${path}/to`);
  const run = await runToEnd(["cp", `${path}/large`, `${executor.url}${path}/to`]);
  fails(run, 1, /^remex: \S+large to ws:\S+large: File too large \(os error 27\)\n$/);
  const piped = await runToEnd(["cp", "-", `${executor.url}${path}/to/x`], "y".repeat(3 * MIB));
  fails(piped, 1, /^remex: ws:\S+x: File too large \(os error 27\)\n$/);
  assertEquals(namesIn(`${path}/to`), []);
});

/** Copies, and kills the copy when it is halfway. Returns the path of what it leaves. */
async function killHalfway(from: string, to: string, directory: string): Promise<string> {
  for (;;) {
    const child = remex(["cp", from, to], { stderr: "null" });
    const partial = () => namesIn(directory).find((name) => name.endsWith(".part"));
    const begun = () => {
      const name = partial();
      return name !== undefined && Deno.statSync(`${directory}/${name}`).size > 2 * MIB;
    };
    const done = () => namesIn(directory).includes("large");
    await eventually(() => begun() || done(), "part of the file", { pollMs: 1 });
    child.kill("SIGKILL");
    await ended(child);
    await Promise.all([child.stdin.abort().catch(() => {}), child.stdout.cancel()]);
    const name = partial();
    if (name !== undefined && !done()) return `${directory}/${name}`;
    // It was faster than the one who watched.
    for (const name of namesIn(directory)) Deno.removeSync(`${directory}/${name}`);
  }
}

testUnix("a run that was killed is gone on with, there and back", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  randomFile(`${path}/large`, 48 * MIB);
  Deno.mkdirSync(`${path}/to`);
  const there = (name: string) => `${executor.url}${path}/${name}`;
  const ways = [[`${path}/large`, there("to/")], [there("large"), `${path}/to/`]] as const;
  for (const [from, to] of ways) {
    const partial = await killHalfway(from, to, `${path}/to`);
    // Only a copy that goes on keeps this.
    {
      using file = Deno.openSync(partial, { write: true });
      file.writeSync(new Uint8Array(4));
    }
    succeeds(await runToEnd(["cp", from, to]));
    assertEquals(namesIn(`${path}/to`), ["large"]);
    const [source, copy] = [`${path}/large`, `${path}/to/large`].map((one) => Deno.openSync(one));
    const compare = ["-s", "--ignore-initial=4", `${path}/large`, `${path}/to/large`];
    assert(new Deno.Command("cmp", { args: compare }).outputSync().success);
    const beginning = new Uint8Array(4).fill(1);
    copy?.readSync(beginning);
    assertEquals([...beginning], [0, 0, 0, 0]);
    source?.close();
    copy?.close();
    Deno.removeSync(`${path}/to/large`);
  }
});

Deno.test("cp: what is wrong with the command line is told", async () => {
  const wrong: [string[], RegExp][] = [
    [[], /give two: what is copied, and where to/],
    [["a"], /give two/],
    [["a", "b", "h:c"], /give two/],
    [["a", "b"], /neither side is on another machine/],
    [["-", "b"], /neither side is on another machine/],
    [["a", ":b"], /one of --url URL/],
    [["a", ""], /a side is empty/],
    [["--ssh", "h", "a", "ws://h:1/b"], /--ssh and --via name the executor of a side .* :PATH/],
    [["--binary", "x", "a", "ws://h:1/b"], /--binary is of use with ssh only/],
    [["a", "unix:/run/x"], /named by --url/],
    [["a", "-x:/b"], /-x/],
    [["a", "u@-x:/b"], /is not \[USER@\]HOST/],
    [["a", "ws://h:1/b?c"], /is not ws:\/\/HOST:PORT\/PATH/],
    [["--workspace", "/", "a", "ws://h:1/b"], /--workspace is of use with --sandbox only/],
  ];
  for (const [args, words] of wrong) {
    const run = await runToEnd(["cp", ...args]);
    assertEquals({ code: run.code, stdout: run.stdout }, { code: 2, stdout: "" }, args.join(" "));
    assertMatch(run.stderr, words);
  }
});

testUnix("a sandbox keeps a copy within its workspace", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await using executor = await ListeningExecutor.start();
  directory.write("file", "content");
  Deno.mkdirSync(`${path}/workspace`);
  const sandbox = ["--sandbox", "workspace-write", "--workspace", `${path}/workspace`];
  const to = (name: string) => `${executor.url}${path}/${name}`;
  succeeds(await runToEnd(["cp", ...sandbox, `${path}/file`, to("workspace/")]));
  // Temporary directories are part of every workspace, but for what is protected in one.
  Deno.mkdirSync(`${path}/workspace/.git`);
  Deno.symlinkSync(".git", `${path}/workspace/link`);
  const large = directory.write("large", "x".repeat(3 * MIB));
  directory.write("tree/file", "content");
  const before = treeOf(path);
  const escapes = [
    [`${path}/file`, "workspace/.git/new"],
    [large, "workspace/link/new"],
    [`${path}/tree`, "workspace/.git/new"],
  ] as const;
  for (const [from, place] of escapes) {
    fails(
      await runToEnd(["cp", ...sandbox, from, to(place)]),
      1,
      /sandbox does not allow to change .*\.git.*\n$/,
    );
  }
  const readOnly = ["--sandbox", "read-only"];
  for (const from of [`${path}/file`, large]) {
    const refused = await runToEnd(["cp", ...readOnly, from, to("workspace/file")]);
    fails(refused, 1, /sandbox does not allow/);
  }
  assertEquals(treeOf(path), before);
  const back = await runToEnd(["cp", ...readOnly, to("workspace/file"), "-"]);
  assertEquals(back, { code: 0, stdout: "content", stderr: "" });
});
