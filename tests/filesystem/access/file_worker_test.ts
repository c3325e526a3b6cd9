import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileWorker } from "../../../src/filesystem/access/file_worker.ts";
import { IntendedFiles } from "../../../src/filesystem/access/sandboxed_files.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { PathUri } from "../../../src/protocol/path_uri.ts";
import { eventually } from "../../support/patience.ts";
import { context, workspaceWrite } from "../../sandbox/context.ts";
import { base64, performBy } from "../perform.ts";
import { TestDirectory } from "../../support/test_directory.ts";
import { codeOf, READ_ONLY, Scene } from "./scene.ts";

const ignore = Deno.build.os !== "linux";
const JOB = { method: "fs/getMetadata", params: { path: "file:///" } } as const;
const NOTHING = JSON.stringify({ grants: [], deniedGlobs: [] });

function inWorkspace(directory: TestDirectory, worker: FileWorker) {
  const roots = { cwd: directory.path, workspaceRoots: [directory.path] };
  return new IntendedFiles(worker).within(context({ entries: workspaceWrite, ...roots }));
}

/** The parameters of `fs/open`. */
function capabilities(status: string): string[] {
  return status.split("\n").filter((line) => line.startsWith("Cap"));
}

/** A worker whose module is this code. */
function workerThat(code: string): FileWorker {
  const module = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  return new FileWorker({ idleMs: 60_000, patienceMs: 20, module });
}

Deno.test({
  name: "a file that root may read only for its capabilities is not read for a client",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    await directory.fill({ "closed": "x", "d/f": "x" });
    await Deno.chmod(directory.at("closed"), 0);
    await Deno.chmod(directory.at("d"), 0);
    using worker = new FileWorker();
    const { perform, open } = await inWorkspace(directory, worker);
    const denied = { code: -32600, message: "Permission denied (os error 13)" };
    for (const name of ["closed", "d/f"]) {
      const path = { path: directory.uri(name) };
      assertEquals(await performBy(perform, "fs/readFile", path), denied);
      const write = { ...path, dataBase64: base64("x") };
      assertEquals(await performBy(perform, "fs/writeFile", write), denied);
      await assertRejects(() => open(PathUri.parse(path.path)), RpcError, "Permission denied");
    }
    const listing = await performBy(perform, "fs/readDirectory", { path: directory.uri("d") });
    assertEquals(listing, denied);
    // The rest of the program keeps what it can do.
    if (Deno.uid() === 0) assertEquals(await directory.text("closed"), "x");
    await Deno.chmod(directory.at("d"), 0o700);
  },
});

Deno.test({
  name:
    "a thread has no capabilities from its first moment, nor do its helpers; this one keeps its",
  ignore,
  fn: async () => {
    const own = () => Deno.readTextFileSync("/proc/thread-self/status");
    const before = own();
    // More helpers at once than there can be from before.
    using worker = workerThat(`
      const path = "/proc/thread-self/status";
      const first = Deno.readTextFileSync(path);
      const helpers = () => Promise.all(Array.from({ length: 64 }, () => Deno.readTextFile(path)));
      onmessage = async ({ data: { id, state } }) => {
        Atomics.store(new Int32Array(state), 0, 1);
        postMessage({ kind: "result", id, result: [first, ...await helpers()] });
      };
      postMessage({ kind: "ready" });
    `);
    const statuses = await worker.run<string[]>(JOB, NOTHING);
    assertEquals(statuses.length, 65);
    for (const status of statuses) assertMatch(status, /^CapEff:\t0+$/m);
    assertEquals(capabilities(own()), capabilities(before));
  },
});

Deno.test({
  name: "an opened file is read by its descriptor, and none stays behind",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    await directory.fill({ "f": "content", "d/f": "x" });
    using worker = new FileWorker();
    const { perform, open } = await inWorkspace(directory, worker);
    const descriptors = () => Array.from(Deno.readDirSync("/proc/self/fd")).length;
    // What is missing is for the thread to say, which is there from now on.
    await performBy(perform, "fs/readFile", { path: directory.uri("missing") });
    const before = descriptors();
    for (let round = 0; round < 20; round++) {
      const file = await open(PathUri.parse(directory.uri("f")));
      await Deno.writeTextFile(directory.at("f"), `content ${round}`);
      assertEquals(await file.readFile("utf8"), `content ${round}`);
      await file.close();
      await performBy(perform, "fs/writeFile", {
        path: directory.uri("g"),
        dataBase64: base64("x"),
      });
      await performBy(perform, "fs/readFile", { path: directory.uri("missing") });
      await performBy(perform, "fs/createDirectory", { path: directory.uri("new/deep") });
      await performBy(perform, "fs/remove", { path: directory.uri("new") });
    }
    await assertRejects(() => open(PathUri.parse(directory.uri("d"))), RpcError, "is not a file");
    assertEquals(descriptors(), before);
    assertEquals(await directory.names(), ["d", "f", "g"]);
  },
});

Deno.test({
  name: "a request that waits holds up no other, and ends when nobody waits for it",
  ignore,
  fn: async () => {
    using worker = workerThat(`
      onmessage = ({ data: { kind, id, job, state } }) => {
        if (kind === "abort") postMessage({ kind: "error", id, code: -32603, message: "aborted" });
        else {
          Atomics.store(new Int32Array(state), 0, 1);
          if (job.method !== "fs/getMetadata") postMessage({ kind: "result", id, result: "done" });
        }
      };
      postMessage({ kind: "ready" });
    `);
    const gone = new AbortController();
    const waiting = worker.run(JOB, NOTHING, gone.signal);
    assertEquals(await worker.run({ ...JOB, method: "fs/canonicalize" }, NOTHING), "done");
    gone.abort();
    await assertRejects(() => waiting, RpcError, "aborted");
  },
});

Deno.test({
  name: "the thread ends when there is nothing to do and is started again when there is",
  ignore,
  fn: async () => {
    using worker = new FileWorker({ idleMs: 20 });
    assertEquals(worker.threads, 0);
    for (let round = 0; round < 2; round++) {
      await assertRejects(() => worker.run(JOB, NOTHING), RpcError);
      await eventually(() => worker.threads === 0, "the end of the thread");
    }
  },
});

Deno.test({
  name: "a thread that fails fails its requests, and the next gets another",
  ignore,
  fn: async () => {
    for (
      const code of [
        "throw new Error('broken')",
        "onmessage = () => { null.broken }; postMessage({ kind: 'ready' })",
      ]
    ) {
      using worker = workerThat(code);
      for (let round = 0; round < 2; round++) {
        const jobs = [worker.run(JOB, NOTHING), worker.run(JOB, NOTHING)];
        for (const settled of await Promise.allSettled(jobs)) {
          assert(settled.status === "rejected" && settled.reason instanceof RpcError);
          assertEquals(settled.reason.code, -32603);
          assert(settled.reason.message.includes("broken"), settled.reason.message);
        }
        assertEquals(worker.threads, 0);
      }
    }
  },
});

Deno.test({
  name: "nothing is asked of the thread where all files are granted",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    await directory.fill({ "f": "content" });
    using worker = workerThat("throw new Error('asked')");
    const permissions = [
      { type: "disabled" },
      { type: "external", network: "restricted" },
      { type: "managed", file_system: { type: "unrestricted" }, network: "enabled" },
    ];
    for (const granted of permissions) {
      const { perform } = await new IntendedFiles(worker).within(
        context({ permissions: granted }),
      );
      const read = await performBy(perform, "fs/readFile", { path: directory.uri("f") });
      assertEquals(read, { result: { dataBase64: base64("content") } });
    }
  },
});

/** Does nothing else while a job's path is that of a file that is not there. */
const WAITING = `
  onmessage = ({ data: { id, job, state } }) => {
    if (Atomics.compareExchange(new Int32Array(state), 0, 0, 1) !== 0) return;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const isThere = (path) => { try { return Deno.statSync(path).isFile } catch { return false } };
    while (job.params.path.startsWith("/") && !isThere(job.params.path)) Atomics.wait(pause, 0, 0, 5);
    postMessage({ kind: "result", id, result: job.params.path });
  };
  postMessage({ kind: "ready" });
`;

Deno.test({
  name: "what is behind a request that a file system does not answer is done by another thread",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    using worker = workerThat(WAITING);
    const silent = worker.run({ ...JOB, params: { path: directory.at("f") } }, NOTHING);
    const others = ["a", "b", "c"].map((path) => worker.run({ ...JOB, params: { path } }, NOTHING));
    assertEquals(await Promise.all(others), ["a", "b", "c"]);
    assertEquals(worker.threads, 2);
    await directory.fill({ f: "" });
    assertEquals(await silent, directory.at("f"));
    assertEquals(worker.threads, 1);
  },
});

Deno.test({
  name: "when too many threads are held up, further requests are refused until one goes on",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    using worker = workerThat(WAITING);
    const silent = Array.from(
      { length: 8 },
      () => worker.run({ ...JOB, params: { path: directory.at("f") } }, NOTHING),
    );
    const refused = await assertRejects(() => worker.run(JOB, NOTHING), RpcError);
    assertEquals(refused.code, -32603);
    assertEquals(worker.threads, 8);
    await directory.fill({ f: "" });
    await Promise.all(silent);
    assertEquals(await worker.run({ ...JOB, params: { path: "a" } }, NOTHING), "a");
    assertEquals(worker.threads, 1);
  },
});

Deno.test({
  name: "what was made of an intent holds until the disk is another",
  ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using scene = await Scene.create(workspaceWrite, { "ws/meta/config": "old" });
    using worker = new FileWorker();
    scene.intended = new IntendedFiles(worker);
    const content = { dataBase64: base64("new") };
    const write = async () => codeOf(await scene.on("fs/writeFile", "ws/meta/config", content));
    assertEquals([await write(), await write()], ["done", "done"]);
    // Now git takes what is in it for the repository's own.
    scene.directory.write("ws/.git", "gitdir: meta");
    assertEquals(await write(), READ_ONLY);
    scene.directory.write("ws/.git", "gitdir: elsewhere");
    assertEquals(await write(), "done");
    await Deno.remove(scene.directory.at("ws/.git"));
    await Deno.rename(scene.directory.at("ws/meta"), scene.directory.at("ws/moved"));
    await Deno.symlink("../outside", scene.directory.at("ws/meta"));
    assertEquals(await write(), READ_ONLY);
    assertEquals(await scene.directory.names("outside"), ["secret"]);
  },
});
