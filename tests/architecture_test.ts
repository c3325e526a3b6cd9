import { constants } from "node:os";
import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path/posix";

const root = new URL("../", import.meta.url).pathname;

/** The folders as the page on the architecture lists them, the highest first. */
function order(): string[] {
  const page = Deno.readTextFileSync(join(root, "docs/architecture.md"));
  const list = /^```order\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
  return Array.from(list.matchAll(/^(src\/\w+) /gm), ([_, folder]) => folder ?? "");
}

function modules(directory: string): string[] {
  return Array.from(Deno.readDirSync(join(root, directory))).flatMap(({ name, isDirectory }) => {
    const path = join(directory, name);
    if (isDirectory) return modules(path);
    return name.endsWith(".ts") ? [path] : [];
  });
}

function imports(module: string): string[] {
  const text = Deno.readTextFileSync(join(root, module));
  const specifiers = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return Array.from(specifiers, ([_, path]) => join(dirname(module), path ?? ""));
}

function folderOf(module: string): string {
  return module.split("/").slice(0, 2).join("/");
}

Deno.test("a folder imports only from those below it in the list of the architecture page", () => {
  const folders = order();
  const wrong: string[] = [];
  for (const module of modules("src")) {
    const height = folders.indexOf(folderOf(module));
    for (const imported of imports(module)) {
      const other = folders.indexOf(folderOf(imported));
      if (height >= 0 && other >= 0 && other < height) wrong.push(`${module} imports ${imported}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("every folder of the source is in that list, and nothing else is", () => {
  const found = Array.from(Deno.readDirSync(join(root, "src")))
    .filter(({ isDirectory }) => isDirectory).map(({ name }) => `src/${name}`);
  assertEquals(order().toSorted(), found.toSorted());
});

Deno.test("one module opens the C library, when a function of it is first used", () => {
  const opening = modules("src").filter((module) =>
    Deno.readTextFileSync(join(root, module)).includes("Deno.dlopen")
  );
  assertEquals(opening, ["src/os/libc.ts"]);
});

/** Names in C of numbers and flags of the kernel. */
const KERNEL_CONSTANT = new RegExp(
  "\\bconst ((?:SYS|O|AT|PR|AF|SOCK|SOL|SO|TCP|IPPROTO|SHUT|CLONE|CAP|S)_[A-Z0-9_]+|RESOLVE_NO_[A-Z]+|" +
    `${Object.keys(constants.errno).join("|")})\\b`,
  "g",
);

Deno.test("numbers and flags of the kernel stand below src/os alone, each once", () => {
  const found = modules("src").flatMap((module) =>
    Array.from(
      Deno.readTextFileSync(join(root, module)).matchAll(KERNEL_CONSTANT),
      ([_, name = ""]) => ({ module, name }),
    )
  );
  assertEquals(found.filter(({ module }) => !module.startsWith("src/os/")), []);
  const names = found.filter(({ module }) => !module.endsWith("unix_pseudo_terminal.ts"))
    .map(({ name }) => name);
  assertEquals(names.filter((name, index) => names.indexOf(name) !== index), []);
});

Deno.test("neither the client library nor the protocol loads anything of src/os", () => {
  const seen = new Set<string>();
  const waiting = ["src/client/mod.ts", "src/protocol/mod.ts"];
  for (let module = waiting.pop(); module !== undefined; module = waiting.pop()) {
    if (seen.has(module)) continue;
    seen.add(module);
    const text = Deno.readTextFileSync(join(root, module));
    const loaded = text.matchAll(/^(?:import|export) (?!type\b)[^;]*?from "(\.[^"]+)"/gm);
    waiting.push(...Array.from(loaded, ([_, path]) => join(dirname(module), path ?? "")));
  }
  assertEquals([...seen].filter((module) => module.startsWith("src/os/")), []);
});
