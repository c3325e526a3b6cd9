import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

/** Writes what TypeScript has to know of modules, with nothing that they do not export. */
export async function writeTypes(
  entryPoints: Readonly<Record<string, string>>,
  outdir: string,
  zodDirectory: string,
): Promise<void> {
  const configuration = await Deno.makeTempFile({ suffix: ".json" });
  const compilerOptions = {
    target: "esnext",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["esnext"],
    types: [],
    allowImportingTsExtensions: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    resolveJsonModule: true,
    noEmit: true,
    // `deno check` does.
    noCheck: true,
    paths: { "zod/mini": [`${zodDirectory}/mini/index.d.ts`] },
  };
  await Deno.writeTextFile(
    configuration,
    JSON.stringify({ compilerOptions, files: Object.values(entryPoints) }),
  );
  try {
    const bundle = await rollup({
      input: { ...entryPoints },
      external: ["zod/mini"],
      onwarn: ({ message }) => {
        throw new Error(message);
      },
      plugins: [dts({ tsconfig: configuration })],
    });
    await bundle.write({ dir: outdir, format: "es", chunkFileNames: "types-[hash].d.ts" });
    await bundle.close();
  } finally {
    await Deno.remove(configuration);
  }
}
