import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { bundleForNode } from "../../scripts/npm/bundle.ts";
import { npmCache, packageDirectory } from "../../scripts/npm_cache.ts";
import { scheduleOf } from "../e2e/recovery/support/schedule.ts";
import { ListeningExecutor, REMEX_BIN } from "../e2e/support/executor.ts";
import { FaultyPath } from "../support/faulty_path.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { eventually, settled } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import type { Assignment } from "./programs/recovery.ts";
import type { TestResult } from "./programs/test_runner.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const programs = `${root}tests/npm/programs`;

/** The runtimes that the package is for; Deno takes it as a package of npm here. */
const RUNTIMES: readonly {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}[] = [
  { name: "Node", command: ["node"] },
  { name: "Bun", command: ["bun", "run"] },
  { name: "Deno", command: [Deno.execPath(), "run", "-A", "--quiet", "--node-modules-dir=manual"] },
];

function isInstalled(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" })
    .outputSync().success;
}

/** Something that was run to its end. */
interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  [program, ...args]: readonly [string, ...string[]],
  cwd: string,
  { input = "", env = {} }: { input?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const child = new Deno.Command(program, {
    args,
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await settled(child.output(), `the end of ${program}`);
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A project that has the package installed, and programs that use it. */
class Project implements Disposable {
  readonly #directory = new TemporaryDirectory();

  static async make(): Promise<Project> {
    const project = new Project();
    const modules = `${project.path}/node_modules`;
    Deno.mkdirSync(`${modules}/@remex/remex`, { recursive: true });
    const made = await run(
      [Deno.execPath(), "run", "-A", `${root}scripts/npm/main.ts`, `${modules}/@remex/remex`],
      root,
    );
    assertEquals({ code: made.code, stdout: made.stdout }, { code: 0, stdout: "" }, made.stderr);
    const [, version = ""] = /^npm:zod@([^/]+)/.exec(manifest.imports["zod/mini"]) ?? [];
    const zod = packageDirectory(npmCache(), "zod", version);
    if (zod === undefined) throw new Error("zod is not in Deno's cache");
    assertEquals((await run(["cp", "-R", zod, `${modules}/zod`], project.path)).code, 0);
    Deno.writeTextFileSync(
      `${project.path}/package.json`,
      JSON.stringify({ type: "module", dependencies: { "@remex/remex": "*" } }),
    );
    await bundleForNode({
      entryPoints: {
        behaviour: `${programs}/behaviour.ts`,
        recovery: `${programs}/recovery.ts`,
      },
      outdir: project.path,
      inject: {
        module: `${programs}/test_runner.ts`,
        replaced: { "Deno.test": "registerTest" },
      },
      outside: { [`${root}src/client/mod.ts`]: "@remex/remex" },
    });
    return project;
  }

  get path(): string {
    return this.#directory.path;
  }

  get packagePath(): string {
    return `${this.path}/node_modules/@remex/remex`;
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Checks what a program of tests says became of them. */
async function assertPassed(t: Deno.TestContext, ended: Ended, least: number): Promise<void> {
  assertEquals({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: "" }, ended.stdout);
  const results: TestResult[] = ended.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert(results.length >= least, `only ${results.length} tests`);
  for (const { name, error } of results) {
    await t.step(name, () => {
      if (error !== undefined) throw new Error(error);
    });
  }
}

/** Enough schedules to meet each kind of fault in each direction. */
const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

Deno.test("the npm package", async (t) => {
  using project = await Project.make();
  await using executor = await ListeningExecutor.start();

  await t.step("has types, a licence, and nothing of Deno", () => {
    const files = Array.from(Deno.readDirSync(project.packagePath), ({ name }) => name);
    for (const name of ["LICENSE", "README.md", "index.js", "index.d.ts", "protocol.d.ts"]) {
      assert(files.includes(name), `${name} is not among ${files}`);
    }
    for (const name of files.filter((name) => /\.js$/.test(name))) {
      const text = Deno.readTextFileSync(`${project.packagePath}/${name}`);
      assert(!/\bDeno[.[]/.test(text), name);
    }
  });

  for (const { name, command } of RUNTIMES) {
    await t.step({
      name: `behaves in ${name} as it does here`,
      ignore: !isInstalled(command[0]),
      fn: async (t) => {
        await assertPassed(
          t,
          await run([...command, "behaviour.js", executor.url], project.path),
          40,
        );
      },
    });

    await t.step({
      name: `comes through faults of the connection in ${name}`,
      ignore: !isInstalled(command[0]),
      fn: async (t) => {
        await using resources = new AsyncDisposableStack();
        const marked = resources.use(new MarkedProcesses());
        const assignments = SEEDS.map((seed): Assignment => {
          const schedule = scheduleOf(seed);
          const path = resources.use(
            new FaultyPath(executor.url, (connection) => schedule.carriages[connection - 1] ?? {}),
          );
          return { seed, url: path.url, schedule, marker: marked.duration };
        });
        const input = JSON.stringify(assignments);
        const ended = await run([...command, "recovery.js"], project.path, { input });
        await assertPassed(t, ended, SEEDS.length);
        await eventually(() => marked.find().length === 0, "everything to be gone");
      },
    });
  }

  await t.step({
    name: "does in Node what its README shows",
    ignore: !isInstalled("node"),
    fn: async (t) => {
      const readme = Deno.readTextFileSync(`${project.packagePath}/README.md`);
      const examples = Array.from(
        readme.matchAll(/^```js\n([^]*?)^```\n+^```text\n([^]*?)^```/gm),
        ([_, code = "", output = ""]) => ({ code, output }),
      );
      assertEquals(examples.length, 3);
      for (const [index, { code, output }] of examples.entries()) {
        await t.step(`example ${index + 1}`, async () => {
          const local = code.replace("ws://127.0.0.1:7777", executor.url)
            .replace('"remex"', JSON.stringify(REMEX_BIN));
          Deno.writeTextFileSync(`${project.path}/example.js`, local);
          const ended = await run(["node", "example.js"], project.path);
          assertEquals(ended, { code: 0, stdout: output, stderr: "" });
          assertStringIncludes(code, "@remex/remex");
        });
      }
    },
  });
});
