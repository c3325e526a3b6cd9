import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { npmCache, packageDirectory } from "../npm_cache.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const SUBSTITUTES = `${root}src/node/deno.ts`;

/** What is replaced, and what of {@linkcode SUBSTITUTES} it is replaced by. */
const REPLACED: Readonly<Record<string, string>> = {
  "Deno.build.os": "buildOs",
  "Deno.Command": "Command",
  "Deno.connect": "connect",
  "Deno.errors": "errors",
  "Deno.memoryUsage": "memoryUsage",
  "Deno.startTls": "startTls",
  "Deno.unrefTimer": "unrefTimer",
  "Promise.withResolvers": "withResolvers",
  "URL.parse": "parseUrl",
};

/** Modules that others take the place of. */
export const OTHER_MODULES: Readonly<Record<string, string>> = {
  [`${root}src/protocol/base64.ts`]: `${root}src/node/base64.ts`,
};

/** How programs for Node are bundled. */
export interface BundleOptions {
  readonly entryPoints: Readonly<Record<string, string>>;
  readonly outdir: string;
  /** Calls that are replaced besides those of the library, by what this module exports. */
  readonly inject?: {
    readonly module: string;
    readonly replaced: Readonly<Record<string, string>>;
  };
  /** Modules that stay outside, and what they are called there. */
  readonly outside?: Readonly<Record<string, string>>;
}

/**
 * Bundles modules of this project for Node 20.6 and later, Bun and Deno: what they use of Deno is
 * replaced.
 *
 * @throws {Error} when something of Deno is left
 */
export async function bundleForNode(options: BundleOptions): Promise<void> {
  const { entryPoints, outdir, inject, outside = {} } = options;
  const { outputFiles } = await esbuild.build({
    entryPoints: { ...entryPoints },
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.6",
    charset: "utf8",
    chunkNames: "chunk-[hash]",
    external: ["zod/mini"],
    inject: [SUBSTITUTES, ...inject === undefined ? [] : [inject.module]],
    define: { ...REPLACED, ...inject?.replaced },
    write: false,
    logLevel: "warning",
    plugins: [{ name: "modules", setup: (build) => resolveModules(build, outside) }],
  });
  for (const { path, text } of outputFiles) {
    const left = /\bDeno\.\w+/.exec(text);
    if (left !== null) throw new Error(`${left[0]} has no substitute in src/node/deno.ts`);
    Deno.writeTextFileSync(path, text);
  }
  await esbuild.stop();
}

function resolveModules(build: esbuild.PluginBuild, outside: Readonly<Record<string, string>>) {
  const cache = npmCache();
  const imports: Readonly<Record<string, string>> = manifest.imports;
  build.onResolve({ filter: /^@std\// }, ({ path }) => {
    const [, version = "", file = ""] = /^npm:deno-std@([^/]+)\/(.+)$/.exec(imports[path] ?? "") ??
      [];
    const directory = packageDirectory(cache, "deno-std", version);
    if (directory === undefined) return { errors: [{ text: `${path} is not in Deno's cache` }] };
    return { path: `${directory}/${file}` };
  });
  build.onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
    const resolved = new URL(path, `file://${resolveDir}/`).pathname;
    const name = outside[resolved];
    if (name !== undefined) return { path: name, external: true };
    return { path: OTHER_MODULES[resolved] ?? resolved };
  });
}
