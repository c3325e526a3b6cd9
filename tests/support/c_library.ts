// Loaded before every test file, by scripts/deno. The C library stays open for good once it is used;
// opened here, no single test is blamed for that.

import { openDeclaredTables } from "../../src/os/libc.ts";

const folder = new URL("../../src/os/", import.meta.url);
for (const { name } of Deno.readDirSync(folder)) await import(new URL(name, folder).href);
if (Deno.build.os !== "windows") openDeclaredTables();
