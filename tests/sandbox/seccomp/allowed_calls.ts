import { parse as parseJsonc } from "@std/jsonc";
import * as z from "zod/mini";
import type { Architecture } from "../../../src/sandbox/seccomp/profile.ts";

const number = z.nullable(z.int());
const schema = z.strictObject({
  groups: z.array(z.strictObject({
    reason: z.string().check(z.minLength(20)),
    calls: z.record(z.string(), z.tuple([number, number])),
  })),
});

/** A system call that is let through. */
export interface AllowedCall extends Record<Architecture, number | null> {
  readonly call: string;
}

/** The list of `sandbox-profiles/allowed_calls.jsonc`. */
export function allowedCalls(): AllowedCall[] {
  const file = new URL("../../../sandbox-profiles/allowed_calls.jsonc", import.meta.url);
  return schema.parse(parseJsonc(Deno.readTextFileSync(file))).groups.flatMap(({ calls }) =>
    Object.entries(calls).map(([call, [x86_64, aarch64]]) => ({ call, x86_64, aarch64 }))
  );
}
