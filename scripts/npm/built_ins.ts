import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What Node 20 has of ECMAScript, and what `src/node/deno.ts` stands in for. */
const LIBRARIES = ["es2023", "es2024.string", "es2024.promise", "esnext.disposable"];

/** Something has no such property, or there is nothing of that name, perhaps in this version only. */
const MISSING: ReadonlySet<number> = new Set([2304, 2339, 2550, 2551, 2583]);

/**
 * Checks that modules use no method or object of ECMAScript that Node 20 does not have. Types tell: a
 * bundle that only mentions one is accepted, and fails where it runs.
 *
 * @param replaced modules that the bundle has others for
 * @param zodDirectory where the package zod is
 * @throws {Error} naming what is used
 */
export async function checkBuiltIns(
  entryPoints: readonly string[],
  replaced: ReadonlySet<string>,
  zodDirectory: string,
): Promise<void> {
  const denoTypes = await Deno.makeTempFile({ suffix: ".d.ts" });
  try {
    await Deno.writeTextFile(denoTypes, await typesOfDeno());
    const program = ts.createProgram(
      [...entryPoints, `${root}src/std.d.ts`, denoTypes],
      {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: LIBRARIES.map((name) => `lib.${name}.d.ts`),
        types: [],
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        allowImportingTsExtensions: true,
        noEmit: true,
        skipLibCheck: true,
        paths: { "zod/mini": [`${zodDirectory}/mini/index.d.ts`] },
      },
    );
    const used = program.getSourceFiles()
      .filter(({ fileName, isDeclarationFile }) => !isDeclarationFile && !replaced.has(fileName))
      .flatMap((file) => program.getSemanticDiagnostics(file))
      .filter(({ code }) => MISSING.has(code));
    if (used.length === 0) return;
    const words = ts.formatDiagnostics(used, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => "\n",
    });
    throw new Error(`Node 20 does not have this, and nothing stands in for it:\n${words}`);
  } finally {
    await Deno.remove(denoTypes);
  }
}

/** Without what this Deno has of later versions of ECMAScript. */
async function typesOfDeno(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["types"] }).output();
  return new TextDecoder().decode(stdout)
    .replaceAll(/^\/\/\/ <reference .*$/gm, "")
    .replaceAll(/^interface Uint8Array(Constructor)? \{$.*?^\}$/gms, "");
}
