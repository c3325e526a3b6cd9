/**
 * In a mount namespace of its own: mounts /proc at a directory, its argument, and prints whether that
 * was among the kernel's file systems before, after and when it was unmounted.
 */
import { KernelTrees } from "../../src/os/mount_table.ts";

const [place = ""] = Deno.args;
using trees = new KernelTrees();
const isSeen = () => trees.get().includes(place);

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} failed`);
}

const seen = [isSeen()];
await run("mount", "--bind", "/proc", place);
seen.push(isSeen(), isSeen());
await run("umount", "--lazy", place);
seen.push(isSeen());
console.log(JSON.stringify(seen));
