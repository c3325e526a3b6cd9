import { assertEquals } from "@std/assert";
import {
  bash,
  inDirectory,
  PLAIN_ENV,
  runToEnd,
  type StartChild,
} from "../../support/recorded_child.ts";

const ODD_TEXTS = [
  "",
  " ",
  "two words",
  "new\nline",
  "näme 🙂",
  "-x",
  "*",
  '"',
  "'",
  "\\",
  "$HOME",
];

/** What the command finds: arguments, name, environment, directory, and which file it is. */
export function commandLineBehaviour(name: string, start: StartChild): void {
  Deno.test(`${name}: arguments arrive unchanged`, async () => {
    const run = await runToEnd(start, { argv: bash("printf '%s\\0' \"$@\"", "sh", ...ODD_TEXTS) });
    assertEquals(run.text().split("\0").slice(0, -1), ODD_TEXTS);
  });

  Deno.test(`${name}: the command sees arg0 as its name`, async () => {
    const argv = ["bash", "-c", 'printf %s "$0"'];
    for (const arg0 of ["näme of\nits own", "-login"]) {
      assertEquals((await runToEnd(start, { argv, arg0 })).text(), arg0);
    }
    assertEquals((await runToEnd(start, { argv })).text(), "bash");
  });

  Deno.test(`${name}: the environment is exactly the given one`, async () => {
    const env = { A: "", "näme": "ü\n=x", lower: "1", LOWER: "2", TERM: "dumb" };
    for (const given of [{}, env]) {
      const run = await runToEnd(start, { argv: ["/usr/bin/env", "-0"], env: given });
      const found = run.text().split("\0").slice(0, -1);
      assertEquals(found.sort(), Object.entries(given).map((pair) => pair.join("=")).sort());
    }
  });

  Deno.test(`${name}: the working directory may have any name`, () =>
    inDirectory(async (directory) => {
      const cwd = `${directory}/ünder\nline 'x'`;
      await Deno.mkdir(cwd);
      const run = await runToEnd(start, { argv: ["/bin/pwd"], cwd });
      assertEquals(run.text(), `${cwd}\n`);
    }));

  Deno.test(`${name}: a name without a slash is looked up in the command's own PATH`, () =>
    inDirectory(async (directory) => {
      await script(`${directory}/first/tool`, "echo first", 0o644);
      await script(`${directory}/second/tool`, "echo second");
      await script(`${directory}/tool`, "echo here");
      const found = async (path: string) =>
        (await runToEnd(start, { argv: ["tool"], cwd: directory, env: { PATH: path } })).text();
      assertEquals(
        await found(`${directory}/none:${directory}/first:${directory}/second`),
        "second\n",
      );
      assertEquals(await found("first:second"), "second\n");
      assertEquals(await found(`${directory}/none:`), "here\n");
    }));

  Deno.test(`${name}: a name with a slash is relative to the working directory`, () =>
    inDirectory(async (directory) => {
      await script(`${directory}/sub/tool`, 'echo "$0 $1"');
      const run = await runToEnd(start, { argv: ["sub/tool", "x"], cwd: directory, env: {} });
      assertEquals(run.text(), "sub/tool x\n");
    }));

  Deno.test(`${name}: signals are at their defaults and none is blocked`, async () => {
    const run = await runToEnd(start, {
      argv: ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"],
      env: PLAIN_ENV,
    });
    const masks = Array.from(run.text().matchAll(/\t([0-9a-f]{16})$/gm), ([, mask]) => mask);
    // The C library keeps two signals to itself, which no program can set (signal(7)).
    const own = 0b11n << 31n;
    assertEquals(masks.map((mask) => BigInt(`0x${mask}`) & ~own), [0n, 0n]);
  });

  Deno.test(`${name}: the command leads its own session and process group`, async () => {
    const run = await runToEnd(start, { argv: bash("ps -o pid=,pgid=,sid= -p $$") });
    const pid = String(run.child.pid);
    assertEquals(run.text().trim().split(/\s+/), [pid, pid, pid]);
  });

  Deno.test(`${name}: the command has no descriptors but its own three`, async () => {
    using _held = await Deno.open("/dev/null");
    const run = await runToEnd(start, { argv: ["ls", "/proc/self/fd"] });
    const inherited = await descriptorsWithoutCloseOnExec();
    const own = run.text().trim().split("\n").filter((descriptor) => !inherited.has(descriptor));
    // The fourth is the directory being listed.
    assertEquals(own.length, 4, run.text());
    assertEquals(own.slice(0, 3), ["0", "1", "2"]);
  });
}

const O_CLOEXEC = 0o2000000;

/** What this program got from whoever started it, the standard three aside. */
async function descriptorsWithoutCloseOnExec(): Promise<Set<string>> {
  const found = new Set<string>();
  for (const { name } of Deno.readDirSync("/proc/self/fdinfo")) {
    const info = await Deno.readTextFile(`/proc/self/fdinfo/${name}`).catch(() => "");
    const flags = parseInt(info.match(/^flags:\s+(\d+)/m)?.[1] ?? "", 8);
    if (Number(name) > 2 && (flags & O_CLOEXEC) === 0) found.add(name);
  }
  return found;
}

async function script(path: string, text: string, mode = 0o755): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`, { mode });
}
