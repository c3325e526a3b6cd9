import { assertEquals } from "@std/assert";
import type { Egress } from "../../../src/sandbox/policy/policy.ts";
import type { BoundPolicy } from "../../../src/sandbox/policy/bound_policy.ts";
import { bindPolicy } from "../../../src/sandbox/policy/bind.ts";
import { seatbeltCommand, type SeatbeltRules } from "../../../src/sandbox/seatbelt/mechanism.ts";
import type { ManagedNetwork } from "../../../src/protocol/sandbox.ts";
import { context, type ContextOptions } from "../context.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";
import { type Profile, readProfile } from "./seatbelt_interpreter.ts";

/** The beginnings of a Mac's disk. */
export const MAC: Readonly<Record<string, FakeEntry>> = {
  "/tmp": { link: "private/tmp" },
  "/var": { link: "private/var" },
  "/etc": { link: "private/etc" },
  "/private/tmp": "directory",
  "/private/var/folders/x/T": "directory",
  "/usr/bin/true": { text: "" },
  "/ws": "directory",
};

/** An policy as a Mac with these files binds it. */
export function bindOnMac(
  options: ContextOptions,
  files: Readonly<Record<string, FakeEntry>> = {},
  managedNetwork?: ManagedNetwork,
  egress?: Egress,
): BoundPolicy {
  const facts = {
    convention: "posix",
    home: "/Users/me",
    temporaryDirectory: "/var/folders/x/T",
  } as const;
  const sandbox = context({ cwd: "/ws", ...options });
  const policy = { sandbox, enforceManagedNetwork: false, managedNetwork, egress };
  return bindPolicy(policy, facts, fakeDisk({ ...MAC, ...files }));
}

/** A wrapped command, taken apart. */
export interface Sandboxed {
  readonly argv: readonly string[];
  readonly text: string;
  /** `NAME=VALUE` of each. */
  readonly definitions: readonly string[];
  readonly profile: Profile;
}

/** Wraps `/usr/bin/true`, and checks the shape of what comes out. */
export function sandbox(
  plan: SeatbeltRules,
  realPath: (path: string) => string | undefined = (path) => path,
): Sandboxed {
  const command = ["/usr/bin/true", "-D", "X=1", "--"];
  const argv = seatbeltCommand(
    plan,
    { argv: command, cwd: "/ws", env: {}, terminal: false },
    realPath,
  );
  assertEquals(argv.slice(0, 2), ["/usr/bin/sandbox-exec", "-p"]);
  const [text = "", ...rest] = argv.slice(2);
  const separator = rest.indexOf("--");
  assertEquals(rest.slice(separator + 1), command);
  const given = rest.slice(0, separator);
  const definitions = given.filter((_, at) => at % 2 === 1);
  assertEquals(given, definitions.flatMap((definition) => ["-D", definition]));
  return { argv, text, definitions, profile: readProfile(text, definitions) };
}

/** Binds and sandboxes. */
export function sandboxOnMac(
  options: ContextOptions,
  files?: Readonly<Record<string, FakeEntry>>,
): Sandboxed {
  return sandbox({ policy: bindOnMac(options, files) });
}

/** What may be done with a path, in short: `rw`, `r`, `` for nothing. */
export function rights({ profile }: Sandboxed, path: string): string {
  const can = (...operations: string[]) =>
    operations.every((operation) => profile.allows({ operation, path }));
  const cannot = (...operations: string[]) =>
    operations.every((operation) => !profile.allows({ operation, path }));
  const read = ["file-read-data", "file-read-xattr", "process-exec", "file-map-executable"];
  const write = ["file-write-data", "file-write-mode", "file-write-xattr"];
  if (can(...read)) return can(...write) ? "rw" : cannot(...write) ? "r" : "mixed";
  return cannot(...read, ...write) ? "" : "mixed";
}
