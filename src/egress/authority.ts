import type { Host } from "./host.ts";

/** A host and a port as a URL has them. */
export function authorityOf({ name }: Pick<Host, "name">, port: number): string {
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
}
