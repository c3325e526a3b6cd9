/**
 * Makes the npm package of the library. The one argument is the directory to make it in. See
 * scripts/package.
 */
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import manifest from "../../deno.json" with { type: "json" };
import { npmCache, packageDirectory } from "../npm_cache.ts";
import { checkBuiltIns } from "./built_ins.ts";
import { bundleForNode, OTHER_MODULES } from "./bundle.ts";
import { writeTypes } from "./types.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const entryPoints = {
  index: `${root}src/client/mod.ts`,
  protocol: `${root}src/protocol/mod.ts`,
};

/** The version of a package that deno.json pins. */
function pinned(name: string): string {
  const imports: Readonly<Record<string, string>> = manifest.imports;
  const found = Object.values(imports).map((specifier) => /^npm:(.+)@([^@/]+)/.exec(specifier))
    .find((match) => match?.[1] === name)?.[2];
  if (found === undefined) throw new Error(`deno.json does not pin ${name}`);
  return found;
}

const exported = (name: string) => ({ types: `./${name}.d.ts`, default: `./${name}.js` });
const zod = pinned("zod");
const packageManifest = {
  name: manifest.name,
  version: manifest.version,
  description: "Run commands on remex executors, with sessions that survive lost connections",
  keywords: ["remote", "exec", "sandbox", "codex", "websocket"],
  license: manifest.license,
  type: "module",
  engines: { node: ">=20.6" },
  sideEffects: false,
  exports: {
    ".": exported("index"),
    "./protocol": exported("protocol"),
    "./package.json": "./package.json",
  },
  files: ["*.js", "*.d.ts"],
  dependencies: { zod },
};

const [out = ""] = Deno.args;
const zodDirectory = packageDirectory(npmCache(), "zod", zod);
if (zodDirectory === undefined) throw new Error("zod is not in Deno's cache");
Deno.writeTextFileSync(`${out}/package.json`, `${JSON.stringify(packageManifest, null, 2)}\n`);
Deno.copyFileSync(`${root}LICENSE`, `${out}/LICENSE`);
Deno.copyFileSync(`${root}scripts/npm/README.md`, `${out}/README.md`);
await checkBuiltIns(Object.values(entryPoints), new Set(Object.keys(OTHER_MODULES)), zodDirectory);
await bundleForNode({ entryPoints, outdir: out });
await writeTypes(entryPoints, out, zodDirectory);
const { messages, pkg } = await publint({ pkgDir: out, level: "suggestion", strict: true });
for (const message of messages) console.error(formatMessage(message, pkg));
if (messages.length > 0) Deno.exit(1);
