/** Prints where file systems of the kernel are seen. */
import { kernelTrees } from "../../src/os/mount_table.ts";

console.log(JSON.stringify(kernelTrees()));
