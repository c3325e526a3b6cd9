import { fileURLToPath } from "node:url";

/** The path of a file that is deployed with. */
export function deployPath(name: string): string {
  return fileURLToPath(new URL(`../../../scripts/deploy/${name}`, import.meta.url));
}

/** What is in it. */
export function deployText(name: string): string {
  return Deno.readTextFileSync(deployPath(name));
}
