import { parse as parseJsonc } from "@std/jsonc";
import * as z from "zod/mini";
import profileText from "../../../sandbox-profiles/seccomp.jsonc" with { type: "text" };

/** The processor architectures for which the list has system call numbers. */
export type Architecture = "x86_64" | "aarch64";

/** What has to hold of one argument of a system call; of its low 32 bits if nothing else is said. */
export type SeccompCondition =
  | { argument: number; mask: number; oneOf: number[] }
  | { argument: number; anyBitOf: number }
  /** All 64 bits count: the argument is a pointer. */
  | { argument: number; notNull: true };

/**
 * How one system call is denied: if all conditions of `when` hold and not all of `unless`, and
 * always if there are none.
 */
export interface SeccompRule {
  call: string;
  /** Number of the call on an architecture; null where it does not exist. */
  x86_64: number | null;
  aarch64: number | null;
  errno: "EPERM" | "ENOSYS";
  when?: SeccompCondition[] | undefined;
  unless?: SeccompCondition[] | undefined;
}

/** The list of `sandbox-profiles/seccomp.jsonc`, with the names of constants resolved. */
export interface SeccompProfile {
  /** The highest system call number that was looked at when the list was written. */
  newestKnown: number;
  /** Numbers before it that no call had, as ranges with both ends. */
  unassigned: Record<Architecture, [number, number][]>;
  /** Which of them apply depends on the network that a command may use and on what else sandboxes it. */
  sections: {
    always: SeccompRule[];
    enabled: SeccompRule[];
    notEnabled: SeccompRule[];
    restricted: SeccompRule[];
    proxied: SeccompRule[];
    privateLoopback: SeccompRule[];
    noLocalBinding: SeccompRule[];
    sharedHost: SeccompRule[];
    fixedMetadata: SeccompRule[];
    fixedFlags: SeccompRule[];
    supervised: SeccompRule[];
    supervisedSignals: SeccompRule[];
  };
}

export type SeccompSection = keyof SeccompProfile["sections"];

/** The list that is part of the program. */
export function shippedSeccompProfile(): SeccompProfile {
  return parseSeccompProfile(profileText);
}

/**
 * Reads a list.
 *
 * @throws {SyntaxError} if the text is not JSON with comments.
 * @throws {z.core.$ZodError} if it has another form than the list, or names an unknown constant.
 */
export function parseSeccompProfile(text: string): SeccompProfile {
  const document = parseJsonc(text);
  const { constants } = z.object({ constants: constantsSchema }).parse(document);
  return profileSchema(constants).parse(document);
}

const ALL_BITS = 0xffff_ffff;

const constantsSchema = z.record(
  z.string(),
  z.union([
    z.int().check(z.minimum(0), z.maximum(ALL_BITS)),
    z.pipe(z.string().check(z.regex(/^0x[0-9a-f]{1,8}$/)), z.transform(Number)),
  ]),
);

function profileSchema(constants: Record<string, number>) {
  const constant = z.pipe(
    z.enum(Object.keys(constants)),
    z.transform((name: string) => constants[name] ?? z.NEVER),
  );
  const argument = z.int().check(z.minimum(0), z.maximum(5));
  const condition = z.union([
    z.strictObject({
      argument,
      mask: z._default(constant, ALL_BITS),
      oneOf: z.array(constant).check(z.minLength(1)),
    }),
    z.strictObject({ argument, anyBitOf: constant }),
    z.strictObject({ argument, notNull: z.literal(true) }),
  ]);
  const conditions = z.optional(z.array(condition).check(z.minLength(1)));
  const number = z.int().check(z.minimum(0));
  const ranges = z.array(z.tuple([number, number]));
  const rule = z.strictObject({
    call: z.string(),
    x86_64: z.nullable(number),
    aarch64: z.nullable(number),
    errno: z._default(z.enum(["EPERM", "ENOSYS"]), "EPERM"),
    when: conditions,
    unless: conditions,
  });
  return z.strictObject({
    newestKnown: number,
    unassigned: z.strictObject({ x86_64: ranges, aarch64: ranges }),
    constants: z.unknown(),
    sections: z.strictObject({
      always: z.array(rule),
      enabled: z.array(rule),
      notEnabled: z.array(rule),
      restricted: z.array(rule),
      proxied: z.array(rule),
      privateLoopback: z.array(rule),
      noLocalBinding: z.array(rule),
      sharedHost: z.array(rule),
      fixedMetadata: z.array(rule),
      fixedFlags: z.array(rule),
      supervised: z.array(rule),
      supervisedSignals: z.array(rule),
    }),
  });
}
