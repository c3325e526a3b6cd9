import { assertEquals } from "@std/assert";
import type { ProgramLaunch } from "../../../src/os/spawn.ts";
import { coreDumps } from "../../../src/os/core_dumps.ts";
import { childrenOf } from "../../../src/os/procfs.ts";
import { reap } from "../../../src/os/signals.ts";
import { GroupPool } from "../../../src/sandbox/restricted_threads/group_pool.ts";
import type { GroupPlan } from "../../../src/sandbox/restricted_threads/restricted_group.ts";
import { seccompFilter } from "../../../src/sandbox/seccomp/filter.ts";
import { eventually } from "../../support/patience.ts";

const PLAN: GroupPlan = {
  restrictions: {
    landlock: undefined,
    filter: seccompFilter({ architecture: Deno.build.arch, network: "restricted" }),
    supervised: false,
  },
  supervised: undefined,
  architecture: Deno.build.arch,
};

/** A program whose start waits until somebody writes to a pipe, for each file that is tried. */
function held(pipe: string, candidates: readonly string[], script: string): ProgramLaunch {
  const source = { kind: "open", path: pipe, access: "read" } as const;
  const descriptors = [{ number: 0, source }];
  return { candidates, argv: ["sh", "-c", script], cwd: "/", env: {}, descriptors };
}

async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args: [...args] }).output();
  return new TextDecoder().decode(stdout).trim();
}

function softLimit(): Promise<string> {
  return run("prlimit", "--pid", `${Deno.pid}`, "--core", "--raw", "--noheadings", "-o", "SOFT");
}

async function ended(pid: number): Promise<void> {
  await eventually(() => reap(pid) !== undefined, "the end of a program");
}

const [, , hard] = Deno.build.os === "linux"
  ? /^Max core file size +(\S+) +(\S+)/m.exec(Deno.readTextFileSync("/proc/self/limits")) ?? []
  : [];

Deno.test({
  name: "programs that threads start at the same time are all born without core dumps",
  ignore: hard === undefined || hard === "0",
  // Threads and their descriptors outlast a test by a little.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const directory = await Deno.makeTempDir();
    const [first, second, told] = ["first", "second", "told"].map((name) => `${directory}/${name}`);
    if (first === undefined || second === undefined || told === undefined) return;
    const before = await softLimit();
    try {
      using pool = new GroupPool();
      await run("mkfifo", first, second);
      await run("prlimit", "--pid", `${Deno.pid}`, "--core=4096:");
      const [one, other] = await Promise.all(
        ["a", "b"].map((key) => pool.use({}, key, () => PLAN, (group) => Promise.resolve(group))),
      );
      if (one === undefined || other === undefined) return;
      const children = childrenOf(Deno.pid).length;
      const begun = (count: number) => () => childrenOf(Deno.pid).length === children + count;
      const firstStart = one.spawn(held(first, ["/bin/sh"], "exit 0"));
      await eventually(begun(1), "the first start to begin");
      const tries = ["/nowhere/sh", "/bin/sh"];
      const secondStart = other.spawn(held(second, tries, `ulimit -c > ${told}`));
      await eventually(begun(2), "the second start to begin");

      using _first = await Deno.open(first, { write: true });
      await ended(await firstStart);
      using _second = await Deno.open(second, { write: true });
      await ended(await secondStart);
      assertEquals(await Deno.readTextFile(told), "0\n");
      assertEquals(await softLimit(), "4096");
    } finally {
      await run("prlimit", "--pid", `${Deno.pid}`, `--core=${before}:`);
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "a program that is started meanwhile keeps its core dumps",
  ignore: hard === undefined || hard === "0",
  // The C library stays open.
  sanitizeResources: false,
  fn: async () => {
    const before = await softLimit();
    try {
      await run("prlimit", "--pid", `${Deno.pid}`, "--core=4096:");
      using withheld = coreDumps().withhold();
      const child = coreDumps().kept(() => new Deno.Command("sleep", { args: ["60"] }).spawn());
      withheld[Symbol.dispose]();
      const limits = await Deno.readTextFile(`/proc/${child.pid}/limits`);
      child.kill("SIGKILL");
      await child.status;
      assertEquals(/^Max core file size +(\S+)/m.exec(limits)?.[1], "4096");
    } finally {
      await run("prlimit", "--pid", `${Deno.pid}`, `--core=${before}:`);
    }
  },
});
