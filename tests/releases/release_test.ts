import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { archiveOf } from "../../scripts/releases/archive.ts";
import { REMEX_BIN } from "../e2e/support/executor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const { version } = manifest;
const MAIN = fileURLToPath(new URL("../../scripts/releases/main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

function run(program: string, args: string[], cwd: string): string {
  const { code, stdout, stderr } = new Deno.Command(program, { args, cwd }).outputSync();
  const text = new TextDecoder();
  assertEquals({ code, stderr: text.decode(stderr) }, { code: 0, stderr: "" });
  return text.decode(stdout);
}

/** Members of a bill of materials that a test looks at. */
interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: unknown;
}

Deno.test("a release has an archive and a bill of materials for each target, and sums that are right", () => {
  using directory = new TemporaryDirectory();
  const out = `${directory.path}/out`;
  Deno.mkdirSync(out);
  // What is packed does not depend on what the binary is.
  const binary = directory.write("binary", "#!/bin/sh\necho it runs\n");
  const targets = [`linux-x64=${binary}`, `windows-x64=${binary}`];
  const args = [
    "run",
    "-A",
    "--quiet",
    "--no-check",
    `--config=${CONFIG}`,
    MAIN,
    out,
    "1700000000",
  ];
  run(Deno.execPath(), [...args, REMEX_BIN, ...targets], directory.path);

  const sums = run("sha256sum", ["-c", "SHA256SUMS"], out);
  const names = ["linux-x64", "windows-x64"].map((target) => `remex-${version}-${target}`);
  assertEquals(sums, names.map((name) => `${name}.tar.gz: OK\n${name}.cdx.json: OK\n`).join(""));

  const [linux = "", windows = ""] = names;
  const listing = run("tar", ["-tvzf", `${linux}.tar.gz`, "--utc"], out);
  const entries = listing.trimEnd().split("\n").map((line) => line.split(/ +/));
  assertEquals(entries.map(([mode, , , , , name]) => [mode, name?.slice(linux.length + 1)]), [
    ["drwxr-xr-x", ""],
    ["-rw-r--r--", "CHANGELOG.md"],
    ["-rw-r--r--", "LICENSE"],
    ["-rw-r--r--", "README.md"],
    ["drwxr-xr-x", "completions/"],
    ["-rw-r--r--", "completions/_remex"],
    ["-rw-r--r--", "completions/remex.bash"],
    ["-rw-r--r--", "completions/remex.fish"],
    ["drwxr-xr-x", "man/"],
    ["-rw-r--r--", "man/remex.1"],
    ["-rwxr-xr-x", "remex"],
  ]);
  for (const [, owner, , date, time] of entries) {
    assertEquals([owner, date, time], ["root/root", "2023-11-14", "22:13"]);
  }
  run("tar", ["-xzf", `${linux}.tar.gz`], out);
  assertEquals(run(`${out}/${linux}/remex`, [], out), "it runs\n");
  assertMatch(
    Deno.readTextFileSync(`${out}/${linux}/completions/remex.bash`),
    /complete -F _remex/,
  );
  assert(run("tar", ["-tzf", `${windows}.tar.gz`], out).includes(`${windows}/remex.exe\n`));

  const bill = JSON.parse(Deno.readTextFileSync(`${out}/${linux}.cdx.json`));
  const digest = run("sha256sum", [binary], out).slice(0, 64);
  assertObjectMatch(bill, {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    metadata: { component: { name: "remex", version, hashes: [{ content: digest }] } },
  });
  const components: Component[] = bill.components;
  const byName = new Map(components.map((component) => [component.name, component]));
  assertEquals(byName.get("zod")?.licenses, [{ expression: "MIT" }]);
  assertMatch(
    byName.get("@humanwhocodes/momoa")?.purl ?? "",
    /^pkg:npm\/%40humanwhocodes\/momoa@3/,
  );
  for (const { name, hashes } of components.slice(1)) {
    assertMatch(hashes?.[0]?.content ?? "", /^[0-9a-f]{128}$/, name);
  }
  // What only tests use, and what is for other platforms, is not in the binary.
  const absent = ["kubernetes-models", "yaml", "modern-tar", "@lydell/node-pty-win32-x64"];
  assertEquals(absent.filter((name) => byName.has(name)), []);
  assert(byName.has("@lydell/node-pty-linux-x64"));
});

Deno.test("an archive of the same files is the same, in whatever order they come", async () => {
  const files = ["b", "a/c", "a/b"].map((name) => ({
    name,
    content: new TextEncoder().encode(name),
  }));
  const changed = new Date(0);
  const [first, second] = await Promise.all([
    archiveOf("x", files, changed),
    archiveOf("x", files.toReversed(), changed),
  ]);
  assertEquals(first, second);
});
