/**
 * Packs binaries that were built for a release: an archive and a bill of materials for each, and
 * SHA256SUMS of all. See scripts/release.
 *
 * Arguments: the directory for the results, the time of the sources in seconds since 1970, a binary
 * for this machine, and TARGET=BINARY for each target.
 */
import { createHash } from "node:crypto";
import manifest from "../../deno.json" with { type: "json" };
import { npmCache, packageDirectory } from "../npm_cache.ts";
import { type ArchivedFile, archiveOf } from "./archive.ts";
import { billOfMaterials } from "./sbom.ts";

const root = new URL("../../", import.meta.url).pathname;
const { version } = manifest;

/** What a program prints. @throws {Error} if it fails */
function outputOf(program: string, args: readonly string[]): Uint8Array<ArrayBuffer> {
  const { success, stdout } = new Deno.Command(program, {
    args: [...args],
    cwd: root,
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).outputSync();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed`);
  return stdout;
}

function parsedOutputOf(program: string, args: readonly string[]): unknown {
  return JSON.parse(new TextDecoder().decode(outputOf(program, args)));
}

/** The manifest of a package in Deno's cache. One for another platform need not be there. */
function manifestOf(cache: string, name: string, packageVersion: string): unknown {
  const directory = packageDirectory(cache, name, packageVersion);
  if (directory === undefined) return {};
  return JSON.parse(Deno.readTextFileSync(`${directory}/package.json`));
}

/** What every archive has beside its binary. */
function companions(remex: string): ArchivedFile[] {
  const own = ["README.md", "LICENSE", "CHANGELOG.md"]
    .map((name) => ({ name, content: Deno.readFileSync(`${root}${name}`) }));
  const completions = [["bash", "remex.bash"], ["zsh", "_remex"], ["fish", "remex.fish"]] as const;
  return [
    ...own,
    ...completions.map(([shell, name]) => ({
      name: `completions/${name}`,
      content: outputOf(remex, ["completions", shell]),
    })),
    { name: "man/remex.1", content: outputOf(remex, ["man"]) },
  ];
}

const [out = "", seconds = "", remex = "", ...targets] = Deno.args;
const changed = new Date(Number(seconds) * 1000);
const sources = {
  graph: parsedOutputOf(Deno.execPath(), ["info", "--json", "main.ts"]),
  lock: JSON.parse(Deno.readTextFileSync(`${root}deno.lock`)),
};
const cache = npmCache();
const shared = companions(remex);
const sums: string[] = [];

function publish(name: string, content: Uint8Array): void {
  Deno.writeFileSync(`${out}/${name}`, content);
  sums.push(`${createHash("sha256").update(content).digest("hex")}  ${name}\n`);
}

for (const argument of targets) {
  const [target = "", binary = ""] = argument.split("=");
  const content = Deno.readFileSync(binary);
  const name = `remex-${version}-${target}`;
  const program = target.startsWith("windows") ? "remex.exe" : "remex";
  const files = [...shared, { name: program, content, executable: true }];
  publish(`${name}.tar.gz`, await archiveOf(name, files, changed));
  const sha256 = createHash("sha256").update(content).digest("hex");
  const bill = billOfMaterials(
    { version, denoVersion: Deno.version.deno, target, sha256, changed },
    { ...sources, manifest: (name, version) => manifestOf(cache, name, version) },
  );
  publish(`${name}.cdx.json`, new TextEncoder().encode(bill));
}
Deno.writeTextFileSync(`${out}/SHA256SUMS`, sums.join(""));
