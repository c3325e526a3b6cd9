import { sandboxIntent } from "../../src/cli/exec_sandbox.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";
import { TemporaryDirectory } from "../../tests/support/temporary_directory.ts";
import { type StartedExecutor, startExecutor } from "./binary.ts";
import { BenchmarkClient } from "./client.ts";
import { quantile } from "./statistics.ts";

const FILES = 5000;
const FILES_A_DIRECTORY = 100;
const FILE_BYTES = 1000;
const PACKAGES = 300;
const FILES_A_PACKAGE = 10;
/** How many plans are in force for the row about memory. */
const PLANS = 10;

/** Prints the microseconds that one of many empty files takes. */
const CREATE = `
import os, time
os.mkdir("made")
start = time.perf_counter()
for index in range(${FILES}):
    os.close(os.open(f"made/{index}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
print((time.perf_counter() - start) / ${FILES} * 1e6)
`;

/** How a command is enclosed. */
interface Enclosure {
  readonly name: string;
  /** Undefined for not at all. */
  readonly landlock: boolean | undefined;
}

const ENCLOSURES: readonly Enclosure[] = [
  { name: "outside", landlock: undefined },
  { name: "bubblewrap", landlock: false },
  { name: "Landlock", landlock: true },
];

/** Work of one row. Each round has a workspace of its own. */
interface Work {
  readonly name: string;
  readonly profile: "read-only" | "workspace-write";
  /** For the shell, in the workspace; `$SOURCE` is the directory with what it works on. */
  readonly command: string;
  /** The command prints its figure, in these. @default it is timed */
  readonly prints?: string;
}

const WORKS: readonly Work[] = [
  {
    name: "an empty file made",
    profile: "workspace-write",
    command: `exec /usr/bin/python3 -c '${CREATE}'`,
    prints: "µs",
  },
  {
    name: `git clone of ${FILES.toLocaleString("en-US")} files`,
    profile: "workspace-write",
    command: "exec git clone -q $SOURCE/repository clone",
  },
  {
    name: `npm install of ${PACKAGES} packages`,
    profile: "workspace-write",
    command: "cp $SOURCE/packages/package.json . && " +
      "exec npm install --offline --no-audit --no-fund --cache $PWD/.cache --loglevel error",
  },
  {
    name: `${FILES.toLocaleString("en-US")} files read`,
    profile: "read-only",
    command: "exec cat $SOURCE/tree/*/* >/dev/null",
  },
];

/**
 * Measures what people run all day outside of a sandbox and in both that Linux has, in turn: times in
 * milliseconds from a command's start until it is closed.
 *
 * @param rounds how often each is measured; the figures are medians
 */
export async function* measureTools(
  binary: string,
  rounds: number,
): AsyncGenerator<readonly string[]> {
  using sources = new TemporaryDirectory();
  using workspaces = new TemporaryDirectory();
  await makeSources(sources.path);
  await using executor = await startExecutor(binary);
  const client = await BenchmarkClient.connect(executor.url);
  const others = ENCLOSURES.slice(1);
  yield ["", ...ENCLOSURES.map(({ name }) => name), ...others.map(({ name }) => `${name}, times`)];
  yield ["---", ...ENCLOSURES.map(() => "---"), ...others.map(() => "---")];
  for (const work of WORKS) {
    const samples = ENCLOSURES.map((): number[] => []);
    for (let round = -1; round < rounds; round++) {
      for (const [index, enclosure] of ENCLOSURES.entries()) {
        const figure = await measure(client, work, enclosure, {
          sources: sources.path,
          workspaces: workspaces.path,
        });
        // The first fills caches.
        if (round >= 0) samples[index]?.push(figure);
      }
    }
    const medians = samples.map((figures) => quantile(figures, 0.5));
    const unit = work.prints ?? "ms";
    const [outside = NaN, ...inside] = medians;
    yield [
      work.name,
      ...medians.map((figure) => `${figure.toFixed(figure < 100 ? 1 : 0)} ${unit}`),
      ...inside.map((figure) => (figure / outside).toFixed(2)),
    ];
  }
  client.close();
  yield [`resident, with ${PLANS} plans more`, "", ...await memoryOfPlans(binary), "", ""];
}

/** Where work is done. */
interface Directories {
  readonly sources: string;
  /**
   * They stay until everything has been measured: for some seconds after a file has been removed ext4
   * passes over its number, and so takes the longer to make another the more have been removed.
   */
  readonly workspaces: string;
}

async function measure(
  client: BenchmarkClient,
  { profile, command, prints }: Work,
  { landlock }: Enclosure,
  { sources, workspaces }: Directories,
): Promise<number> {
  const workspace = await Deno.makeTempDir({ dir: workspaces, prefix: "remex-bench-" });
  const intent = landlock === undefined ? undefined : {
    ...await sandboxIntent(profile, PathUri.fromNativePath(workspace), []),
    useLegacyLandlock: landlock,
  };
  const shell = `cd ${workspace} && export SOURCE=${sources} HOME=${workspace} && ${command}`;
  let output = "";
  const began = performance.now();
  const { exitCode } = await client.run(["/bin/sh", "-c", shell], {
    sandbox: intent,
    onOutput: (chunk) => output += atob(chunk),
  });
  const milliseconds = performance.now() - began;
  if (exitCode !== 0) throw new Error(`${command}: exit code ${exitCode}: ${output}`);
  return prints === undefined ? milliseconds : Number(output);
}

/** What an executor takes more once commands have run by so many policies, in each sandbox. */
async function memoryOfPlans(binary: string): Promise<string[]> {
  const figures: string[] = [];
  for (const { landlock } of ENCLOSURES.slice(1)) {
    await using executor = await startExecutor(binary);
    const client = await BenchmarkClient.connect(executor.url);
    using workspaces = new TemporaryDirectory();
    const run = async (name: string) => {
      await Deno.mkdir(`${workspaces.path}/${name}`);
      const uri = PathUri.fromNativePath(`${workspaces.path}/${name}`);
      const intent = await sandboxIntent("workspace-write", uri, []);
      const sandbox = { ...intent, useLegacyLandlock: landlock };
      await client.run(["/bin/true"], { sandbox });
    };
    await run("first");
    const before = residentMegabytes(executor);
    for (let plan = 0; plan < PLANS; plan++) await run(String(plan));
    figures.push(`${(residentMegabytes(executor) - before).toFixed(0)} MB`);
    client.close();
  }
  return figures;
}

function residentMegabytes({ pid }: StartedExecutor): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/**
 * A tree of files, a repository with the same, packed as servers have them, and packages that depend on
 * nothing.
 */
async function makeSources(path: string): Promise<void> {
  for (let file = 0; file < FILES; file++) {
    const directory = `${path}/tree/${Math.floor(file / FILES_A_DIRECTORY)}`;
    if (file % FILES_A_DIRECTORY === 0) await Deno.mkdir(directory, { recursive: true });
    await Deno.writeFile(`${directory}/${file}`, randomText());
  }
  const git = "git -c user.name=bench -c user.email=bench@localhost";
  await shell(
    `cp -r tree repository && cd repository && git init -q && git add -A && ${git} commit -qm files && git gc -q`,
    path,
  );
  const dependencies: Record<string, string> = {};
  for (let number = 0; number < PACKAGES; number++) {
    const name = `package-${number}`;
    const directory = `${path}/packages/${name}/package`;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(
      `${directory}/package.json`,
      JSON.stringify({ name, version: "1.0.0" }),
    );
    for (let file = 1; file < FILES_A_PACKAGE; file++) {
      await Deno.writeFile(`${directory}/${file}.js`, randomText());
    }
    dependencies[name] = `file:${path}/packages/${name}.tgz`;
  }
  await shell(
    "for each in package-*; do tar -czf $each.tgz -C $each package; done",
    `${path}/packages`,
  );
  const manifest = { name: "bench", version: "1.0.0", dependencies };
  await Deno.writeTextFile(`${path}/packages/package.json`, JSON.stringify(manifest));
}

function randomText(): Uint8Array {
  return new TextEncoder().encode(
    crypto.getRandomValues(new Uint8Array(FILE_BYTES / 2)).toHex(),
  );
}

async function shell(script: string, cwd: string): Promise<void> {
  const { success } = await new Deno.Command("/bin/sh", { args: ["-ec", script], cwd }).output();
  if (!success) throw new Error(`cannot prepare: ${script}`);
}
