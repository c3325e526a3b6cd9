/**
 * Runs files of tests by several processes of `deno test` at a time. Most tests wait for something,
 * so that one process would leave the processors idle.
 *
 * Usage: run_tests.ts TOTALS [--filter NAME] PATH…
 *
 * Files that may take a minute have a process of their own, as most end-to-end tests have; the others
 * share one by the dozen. What a process of several prints is shown when it fails. The file TOTALS
 * receives a line `PASSED FAILED`.
 */
import { join } from "@std/path";
import { parseArgs } from "node:util";

/** How many files share a process when they are short. */
const SHORT_FILES = 12;
/** Where the files are that take long, the longest first, so that none is left for the end. */
const LONG = ["tests/e2e/load/", "tests/e2e/recovery/", "tests/sandbox/linux/", "tests/e2e/"];
/** Where those are that take as long as starting a process for them. */
const SHORT_AMONG_LONG = "tests/e2e/conformance/";
/**
 * One more than there are processors, for some wait at any time. More of them only take each other's
 * time: the same tests cost twice as much when six run at once on two processors.
 */
const PROCESSES = navigator.hardwareConcurrency + 1;
/** After this time a process is said to hang. The longest takes about a minute. */
const HANG_MS = 600_000;

const { values: { filter }, positionals: [totalsFile = "", ...paths] } = parseArgs({
  allowPositionals: true,
  options: {
    /** Only tests that have this in their names. */
    filter: { type: "string" },
  },
});

interface Totals {
  passed: number;
  failed: number;
}

function testFiles(path: string): string[] {
  if (Deno.statSync(path).isFile) return [path];
  return Array.from(Deno.readDirSync(path)).flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(join(path, name));
    return name.endsWith("_test.ts") ? [join(path, name)] : [];
  }).sort();
}

/** The files of each process, in the order in which they are started. */
function batches(files: readonly string[]): string[][] {
  const rank = (file: string) =>
    file.startsWith(SHORT_AMONG_LONG)
      ? -1
      : LONG.findIndex((directory) => file.startsWith(directory));
  const long = files.filter((file) => rank(file) >= 0).sort((a, b) => rank(a) - rank(b));
  const short = files.filter((file) => rank(file) < 0);
  const shared = Array.from(
    { length: Math.ceil(short.length / SHORT_FILES) },
    (_, index) => short.slice(index * SHORT_FILES, (index + 1) * SHORT_FILES),
  );
  return [...long.map((file) => [file]), ...shared];
}

/** The arguments of `deno test`. Types have been checked by then. */
function testArguments(report: string): string[] {
  const only = filter === undefined ? [] : [`--filter=${filter}`];
  return ["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...only];
}

const deno = join(import.meta.dirname ?? "", "deno");

/** Runs a single process, whose output is seen at once. */
async function runAlone(files: readonly string[], report: string): Promise<Totals> {
  const args = [...testArguments(report), ...files];
  const { success } = await new Deno.Command(deno, { args }).spawn().status;
  return await totalsOf(report, success);
}

/** Runs one process of several, and shows what it printed if anything failed. */
async function runBeside(files: readonly string[], report: string): Promise<Totals> {
  const started = performance.now();
  const { success, stdout } = await new Deno.Command("/bin/sh", {
    // One stream keeps the order of both.
    args: ["-c", 'exec "$@" 2>&1', "sh", deno, ...testArguments(report), ...files],
    stdin: "null",
    stderr: "inherit",
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const totals = await totalsOf(report, success);
  const { passed, failed } = totals;
  if (failed > 0) await Deno.stdout.write(stdout);
  const seconds = Math.round((performance.now() - started) / 1000);
  const what = files.length === 1 ? files[0] : `${files[0]} and ${files.length - 1} more`;
  console.log(
    `${failed > 0 ? "FAILED" : "ok"} ${what}: ${passed} passed, ${failed} failed, ${seconds} s`,
  );
  return totals;
}

/**
 * Reads a report in JUnit's format. A run that fails without saying which test did (it crashed, or a
 * module did not load) counts as one failure.
 */
async function totalsOf(report: string, success: boolean): Promise<Totals> {
  const text = await Deno.readTextFile(report).catch(() => "");
  const [root = ""] = text.match(/<testsuites [^>]*>/) ?? [];
  const attribute = (name: string) => Number(root.match(` ${name}="(\\d+)"`)?.[1] ?? 0);
  const failed = attribute("failures") + attribute("errors");
  const skipped = text.match(/<skipped/g)?.length ?? 0;
  const passed = attribute("tests") - failed - skipped;
  return { passed, failed: success || failed > 0 ? failed : 1 };
}

const sum: Totals = { passed: 0, failed: 0 };
const reports = await Deno.makeTempDir();
try {
  const all = filter === undefined ? batches(paths.flatMap(testFiles)) : [paths];
  const run = all.length === 1 ? runAlone : runBeside;
  const waiting = all.entries();
  await Promise.all(Array.from({ length: PROCESSES }, async () => {
    for (const [index, files] of waiting) {
      const { passed, failed } = await run(files, join(reports, `${index}.xml`));
      sum.passed += passed;
      sum.failed += failed;
    }
  }));
} finally {
  await Deno.remove(reports, { recursive: true });
}
await Deno.writeTextFile(totalsFile, `${sum.passed} ${sum.failed}\n`);
